package fat

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// content returns bytes that no other path has.
func content(path string, size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8(sha256.Sum256([]byte(path))).Read(b)
	return b
}

func file(path string, data []byte) File {
	return File{Path: path, Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

var options = Options{Label: "ESP", Time: FirstTime, ID: 0x12345678, Start: 2048}

// write returns a file system of a size, or of the least that has room.
func write(t *testing.T, files []File, size int64) []byte {
	t.Helper()
	tree, err := NewTree(files, options)
	if err == nil && size == 0 {
		size, err = tree.Size(0, 1<<20)
	}
	var b bytes.Buffer
	if err == nil {
		err = tree.Write(&b, size)
	}
	if err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != size {
		t.Fatalf("%d bytes, want %d", b.Len(), size)
	}
	return b.Bytes()
}

// names are paths with what names can have.
var names = []string{
	"EFI/BOOT/BOOTX64.EFI",
	"EFI/BOOT/grubx64.efi",
	"EFI/Linux/Linux 7.2.12+deb14-amd64 [new].efi",
	"EFI/Linux/linux-7.2.13.efi",
	"EFI/Linux/linux-7.2.14.efi",
	"EFI/Linux/LINUX-~1.EFI",
	"loader/entries/arch.conf",
	"loader/.hidden",
	"loader/archive.tar.gz",
	"exactly13char",
	"thirteen-and-one-more.x",
	"größe/日本語/ü.txt",
	"😀.txt",
	"UPPER.lower",
	"noextension",
	"a+b=c,d;[e].x",
	strings.Repeat("l", 255),
	"empty",
	"+", ".+", "é",
}

// The programs that Linux users check and read FAT file systems with find what was written.
func TestPrograms(t *testing.T) {
	for _, name := range []string{"fsck.fat", "mcopy", "mdir"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s: apt-get install dosfstools mtools", name)
		}
	}
	var many []File
	for i := range 1000 {
		path := fmt.Sprintf("directory/a long name %d.text", i)
		many = append(many, file(path, content(path, i%3*700)))
	}
	var odd []File
	for i, path := range names {
		if strings.Contains(path, "😀") {
			continue // mtools does not know surrogates
		}
		odd = append(odd, file(path, content(path, i*1000+7)))
	}
	odd = append(odd, file("empty file", nil))
	for _, test := range []struct {
		name  string
		files []File
		size  int64
		kind  string
	}{
		{"names", odd, 0, "FAT16"},
		{"names in FAT32", odd, 40 << 20, "FAT32"},
		{"many", many, 0, "FAT16"},
		{"many in FAT32", many, 64 << 20, "FAT32"},
		{"nothing", nil, 0, "FAT16"},
		{"directories", []File{{Path: "EFI/BOOT", Directory: true}, {Path: "b", Directory: true}}, 0, "FAT16"},
		{"large", []File{file("EFI/BOOT/BOOTX64.EFI", content("large", 40<<20))}, 0, "FAT32"},
		{"4 KiB clusters", odd, 300 << 20, "FAT32"},
		{"the most of FAT16", []File{file("a", content("a", 31<<20))}, 32<<20 - 512, "FAT16"},
		{"between FAT16 and FAT32", []File{file("a", content("a", 31<<20))}, 66300 * 512, "FAT16"},
		{"no room left", []File{file("a", content("a", mostFAT16*512))}, (1 + 2*256 + 32 + mostFAT16) * 512, "FAT16"},
	} {
		t.Run(test.name, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "image")
			data := write(t, test.files, test.size)
			if err := os.WriteFile(image, data, 0o666); err != nil {
				t.Fatal(err)
			}
			tree, err := NewTree(test.files, options)
			if err != nil {
				t.Fatal(err)
			}
			if kind, err := tree.Type(int64(len(data))); kind != test.kind || err != nil {
				t.Errorf("%d bytes: %s, %v, want %s", len(data), kind, err, test.kind)
			}
			check(t, image)
			compare(t, image, test.files)
		})
	}
}

// run runs a program, and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MTOOLSRC=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// check has fsck.fat check a file system.
func check(t *testing.T, image string) {
	t.Helper()
	out := run(t, "fsck.fat", "-n", "-v", image)
	if !strings.Contains(out, "Checking for unused clusters.") {
		t.Errorf("fsck.fat:\n%s", out)
	}
	for _, word := range []string{"Label", "differ", "differences", "wrong", "Dirty", "Fixing", "orphan", "incorrect"} {
		if strings.Contains(out, word) {
			t.Errorf("fsck.fat says %q:\n%s", word, out)
		}
	}
}

// compare has mtools read all files back.
func compare(t *testing.T, image string, files []File) {
	t.Helper()
	if out := run(t, "mdir", "-i", image, "::"); !strings.Contains(out, "Volume in drive : is ESP") || !strings.Contains(out, "1234-5678") {
		t.Errorf("mdir:\n%s", out)
	}
	dir := t.TempDir()
	if len(files) == 0 {
		return
	}
	run(t, "mcopy", "-i", image, "-s", "-n", "::*", dir)
	want := map[string]bool{}
	for _, f := range files {
		for path := f.Path; path != "."; path = filepath.Dir(path) {
			want[path] = true
		}
		if f.Directory {
			if info, err := os.Stat(filepath.Join(dir, f.Path)); err != nil || !info.IsDir() {
				t.Errorf("%s: %v", f.Path, err)
			}
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, f.Path))
		source, _ := f.Open()
		data, _ := io.ReadAll(source)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v, want %d", f.Path, len(got), err, len(data))
		}
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path, _ := filepath.Rel(dir, path); path != "." && !want[path] {
			t.Errorf("there is %s too", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The names that mtools shows, short and long, are in a golden file.
func TestShortNames(t *testing.T) {
	var files []File
	for _, path := range names {
		files = append(files, file(path, nil))
	}
	for i := range 12 {
		files = append(files, file(fmt.Sprintf("same beginning %02d", i), nil))
	}
	tree, err := NewTree(files, options)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	tree.root.walk(func(n *node) {
		if n.parent != nil {
			fmt.Fprintf(&b, "%-12s %-5v %.60s\n", n.short, n.long, n.name)
		}
	})
	golden.Text(t, "TestShortNames.txt", b.String())
}

func TestDeterministic(t *testing.T) {
	files := []File{file("b/a", []byte("1")), file("a/b", []byte("2")), {Path: "b", Directory: true}}
	other := []File{files[1], files[2], files[0]}
	if !bytes.Equal(write(t, files, 0), write(t, other, 0)) {
		t.Error("the order of the files changes the bytes")
	}
}

func TestErrors(t *testing.T) {
	empty := func(paths ...string) (files []File) {
		for _, path := range paths {
			files = append(files, file(path, nil))
		}
		return files
	}
	var many []File
	for i := range 22000 {
		many = append(many, file(fmt.Sprintf("d/a name of several records %d", i), nil))
	}
	open := func(content io.Reader, err error) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(content), err }
	}
	messages := map[string]string{}
	for _, test := range []struct {
		name    string
		files   []File
		options Options
		size    int64
		want    error
	}{
		{"no path", empty(""), options, 0, ErrPath},
		{"absolute", empty("/a"), options, 0, ErrPath},
		{"escapes", empty("a/../../b"), options, 0, ErrPath},
		{"dot", empty("a/./b"), options, 0, ErrPath},
		{"ends with a slash", empty("a/"), options, 0, ErrPath},
		{"backslash", empty(`EFI\BOOT`), options, 0, ErrPath},
		{"control", empty("a\nb"), options, 0, ErrPath},
		{"not UTF-8", empty("a\xff"), options, 0, ErrPath},
		{"ends with a dot", empty("a."), options, 0, ErrPath},
		{"ends with a space", empty("a /b"), options, 0, ErrPath},
		{"long", empty(strings.Repeat("a", 256)), options, 0, ErrPath},
		{"long in UTF-16", empty(strings.Repeat("😀", 128)), options, 0, ErrPath},
		{"twice", empty("a", "a"), options, 0, ErrSame},
		{"case", empty("EFI/Boot/a", "EFI/BOOT/b"), options, 0, ErrSame},
		{"case of other letters", empty("Ä", "ä"), options, 0, ErrSame},
		{"file and directory", empty("a", "a/b"), options, 0, ErrSame},
		{"directory and file", append(empty("a"), File{Path: "a", Directory: true}), options, 0, ErrSame},
		{"large", []File{{Path: "a", Size: MaxFile + 1}}, options, 0, ErrLarge},
		{"many", many, options, 0, ErrMany},
		{"large in all", []File{{Path: "a", Size: 1 << 20}}, options, 3 << 41, ErrLarge},
		{"no room", []File{{Path: "a", Size: 9 << 20}}, options, 8 << 20, ErrRoom},
		{"less than FAT16", nil, options, 1 << 20, ErrRoom},
		{"early", nil, Options{Label: "ESP"}, 0, ErrTime},
		{"late", nil, Options{Label: "ESP", Time: LastTime + 1}, 0, ErrTime},
		{"no label", nil, Options{Time: FirstTime}, 0, ErrLabel},
		{"long label", nil, Options{Label: "ABCDEFGHIJKL", Time: FirstTime}, 0, ErrLabel},
		{"label in lower case", nil, Options{Label: "esp", Time: FirstTime}, 0, ErrLabel},
		{"unreadable", []File{{Path: "d/a", Size: 3, Open: open(iotest.ErrReader(os.ErrPermission), nil)}}, options, 0, os.ErrPermission},
		{"not opened", []File{{Path: "d/a", Size: 3, Open: open(nil, os.ErrNotExist)}}, options, 0, os.ErrNotExist},
		{"shrinks", []File{{Path: "d/a", Size: 3, Open: open(strings.NewReader("12"), nil)}}, options, 0, nil},
		{"grows", []File{{Path: "d/a", Size: 3, Open: open(strings.NewReader("1234"), nil)}}, options, 0, nil},
	} {
		tree, err := NewTree(test.files, test.options)
		if err == nil && test.size == 0 {
			test.size, err = tree.Size(0, 1<<20)
		}
		if err == nil {
			err = tree.Write(io.Discard, test.size)
		}
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		messages[test.name] = fmt.Sprint(err)
	}
	golden.Messages(t, "TestErrors.txt", messages)
}

// A file system of the least size has room for its files, and none that is smaller has.
func TestSize(t *testing.T) {
	const unit = 1 << 16
	for _, size := range []int64{0, 1, 1 << 20, 4<<20 - 1, 31<<20 + 12345, 32 << 20, 33 << 20, 40 << 20, 259 << 20, 300 << 20, MaxFile} {
		tree, err := NewTree([]File{{Path: "a", Size: size}}, options)
		if err != nil {
			t.Fatal(err)
		}
		least, err := tree.Size(0, unit)
		if err != nil || tree.Check(least) != nil {
			t.Errorf("%d bytes: %d, %v, %v", size, least, err, tree.Check(least))
		}
		if tree.Check(least-unit) == nil {
			t.Errorf("%d bytes: %d, and less has room", size, least)
		}
		if least > max(size+size/60+1<<17, 3<<20) {
			t.Errorf("%d bytes take %d", size, least)
		}
	}
}
