package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/disk/fat"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

var files = []fat.File{
	file("EFI/BOOT/BOOTX64.EFI", 5<<20),
	file("loader/entries/a.conf", 100),
}

func file(path string, size int64) fat.File {
	return fat.File{Path: path, Size: size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(strings.Repeat("0123456789abcdef", int(size)/16+1)[:size])), nil
	}}
}

var options = Options{Label: DefaultLabel, Time: DefaultTime}

func write(t *testing.T, files []fat.File, options Options) []byte {
	t.Helper()
	image, err := New(files, options)
	var b bytes.Buffer
	if err == nil {
		err = image.Write(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != image.Size() {
		t.Fatalf("%d bytes, want %d", b.Len(), image.Size())
	}
	return b.Bytes()
}

// sfdisk finds nothing wrong with the partition table, and prints what was asked for.
func TestPrograms(t *testing.T) {
	for _, name := range []string{"sfdisk", "fsck.fat", "mcopy"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s: apt-get install fdisk dosfstools mtools", name)
		}
	}
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	texts := map[string]string{}
	for _, test := range []struct {
		name    string
		options Options
	}{
		{"usual", options},
		{"size", Options{Size: 40 << 20, Label: "A B", Time: 1700000001}},
		{"odd size", Options{Size: 77<<20 + 5*512, Label: "ESP", Time: DefaultTime}},
		{"GUIDs", Options{Label: "ESP", Time: DefaultTime, Disk: guid.From("a"), Partition: guid.From("b")}},
	} {
		image := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(image, write(t, files, test.options), 0o666); err != nil {
			t.Fatal(err)
		}
		if out := run("sfdisk", "--verify", image); !strings.Contains(out, "No errors detected") {
			t.Errorf("%s: sfdisk:\n%s", test.name, out)
		}
		for line := range strings.Lines(run("sfdisk", "--dump", image)) {
			if !strings.HasPrefix(line, "device") {
				texts[test.name] += strings.ReplaceAll(line, image, "disk")
			}
		}
		partition := filepath.Join(t.TempDir(), "partition")
		data, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(partition, data[align:][:partitionSize(int64(len(data)))], 0o666); err != nil {
			t.Fatal(err)
		}
		run("fsck.fat", "-n", partition)
		dir := t.TempDir()
		run("mcopy", "-i", image+"@@1M", "-s", "::EFI", dir)
		if info, err := os.Stat(filepath.Join(dir, "EFI/BOOT/BOOTX64.EFI")); err != nil || info.Size() != 5<<20 {
			t.Errorf("%s: %v", test.name, err)
		}
		out := run("mdir", "-i", image+"@@1M", "::EFI/BOOT")
		at := time.Unix(test.options.Time, 0).UTC().Format(" 2006-01-02  15:04 ")
		if !strings.Contains(out, at) && !strings.Contains(strings.ReplaceAll(out, "   0:", "  00:"), at) || !strings.Contains(out, " is "+test.options.Label) {
			t.Errorf("%s: mdir:\n%s", test.name, out)
		}
	}
	golden.Messages(t, "TestPrograms.txt", texts)
}

// The order of the files and their content do not change the GUIDs. Their paths do.
func TestGUIDs(t *testing.T) {
	table := func(files []fat.File, o Options) string {
		image, err := New(files, o)
		if err != nil {
			t.Fatal(err)
		}
		return image.table.disk.String() + " " + image.table.partition.String()
	}
	usual := table(files, options)
	if got := table([]fat.File{files[1], file(files[0].Path, 1)}, options); got != usual {
		t.Errorf("%s, want %s", got, usual)
	}
	if got := table(files[1:], options); got == usual {
		t.Error("other paths have the same GUIDs")
	}
	if got := table(files, Options{Label: "A", Time: DefaultTime}); got == usual {
		t.Error("another label has the same GUIDs")
	}
	want := guid.From("1").String() + " " + guid.From("2").String()
	if got := table(files, Options{Label: "A", Time: DefaultTime, Disk: guid.From("1"), Partition: guid.From("2")}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestErrors(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct {
		name string
		size int64
		want error
	}{
		{"no room", 6 << 20, fat.ErrRoom},
		{"less than the tables", 512, fat.ErrRoom},
		{"negative", -512, ErrSize},
		{"not sectors", 8<<20 + 1, ErrSize},
		{"large", 1 << 50, fat.ErrLarge},
	} {
		o := options
		o.Size = test.size
		_, err := New(files, o)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		messages[test.name] = fmt.Sprint(err)
	}
	golden.Messages(t, "TestErrors.txt", messages)
	// What an error says is enough.
	o := options
	o.Size = 6 << 20
	_, err := New(files, o)
	if _, scanErr := fmt.Sscanf(err.Error(), fat.ErrRoom.Error()+": the files need a disk of %d", &o.Size); scanErr != nil {
		t.Fatal(scanErr)
	}
	if _, err := New(files, o); err != nil {
		t.Error(err)
	}
	o.Size -= 512
	if _, err := New(files, o); !errors.Is(err, fat.ErrRoom) {
		t.Errorf("%v, want %v", err, fat.ErrRoom)
	}
}
