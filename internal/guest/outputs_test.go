package guest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write writes files, by their paths below dir.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// list returns what is in dir: the contents of files, the targets of links after "-> ", and
// "/" for directories.
func list(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		var content []byte
		switch {
		case entry.IsDir():
			content = []byte("/")
		case entry.Type() == fs.ModeSymlink:
			var target string
			target, err = os.Readlink(path)
			content = []byte("-> " + target)
		default:
			content, err = os.ReadFile(path)
		}
		all[strings.TrimPrefix(path, dir+"/")] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestOutputs sends outputs of all kinds to where a boot has files of its own.
func TestOutputs(t *testing.T) {
	from, elsewhere, unpacked, to := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	undeclared := filepath.Join(from, Undeclared)
	long := strings.Repeat("long name ", 25)
	outputs := map[string]string{
		"a/b/c.bin": strings.Repeat("\x00\xff", 100_000), "a/empty": "",
		"console.log": "the test's", "result.json/file": "the test's", "boot-console.log": "the test's too",
		"not UTF-8 \xff\xfe": "1", "dir \xc3(/f": "2", "new\nline": "3", `back\slash`: "4", "-n": "5", "..a": "6", long + "/" + long: "7",
	}
	write(t, undeclared, outputs)
	write(t, from, map[string]string{XML: "<testsuites/>"})
	write(t, elsewhere, map[string]string{"file": "from elsewhere", "dir/file": ""})
	for name, target := range map[string]string{
		"latest": "a/b", "a/up": "../console.log", "dangling": "none", "loop": "loop", "itself": ".", "link \xff": "not UTF-8 \xff\xfe",
		"absolute":  filepath.Join(undeclared, "a/empty"),
		"copied":    filepath.Join(elsewhere, "file"),
		"a/copied2": "../copied", "a/b/xml": "../../../" + XML,
		"outside": elsewhere, "outside dangling": "/none/x", "up": "..", "through": "a/b/../../../../x",
	} {
		if err := os.Symlink(target, filepath.Join(undeclared, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(
		os.Mkdir(filepath.Join(undeclared, "empty"), 0o700),
		syscall.Mkfifo(filepath.Join(undeclared, "fifo"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	write(t, to, map[string]string{"console.log": "the boot's", "result.json": "the boot's", "qemu-command.txt": "the boot's"})

	var archive bytes.Buffer
	omitted, err := Pack(&archive, from)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, text := range omitted {
		name, _, _ := strings.Cut(text, ":")
		names = append(names, strings.TrimPrefix(name, "undeclared/"))
	}
	if want := []string{"fifo", "outside", "outside dangling", "through", "up"}; !slices.Equal(names, want) {
		t.Errorf("omitted %q, want %q", names, want)
	}
	if err := Unpack(bytes.NewReader(archive.Bytes()), unpacked, 1<<20); err != nil {
		t.Fatal(err)
	}
	omitted, err = Deliver(unpacked, func(name string) string {
		return map[string]string{"TEST_UNDECLARED_OUTPUTS_DIR": to}[name]
	})
	if err != nil || len(omitted) > 0 {
		t.Errorf("omitted %q, %v", omitted, err)
	}
	want := maps.Clone(outputs)
	maps.Copy(want, map[string]string{
		"a": "/", "a/b": "/", "result.json": "/", "dir \xc3(": "/", long: "/", "empty": "/",
		"latest": "-> a/b", "a/up": "-> ../console.log", "dangling": "-> none", "loop": "-> loop", "itself": "-> .", "link \xff": "-> not UTF-8 \xff\xfe",
		"absolute": "-> a/empty", "copied": "from elsewhere", "a/copied2": "from elsewhere", "a/b/xml": "<testsuites/>",
		"boot-boot-console.log": "the boot's", "boot-result.json": "the boot's", "qemu-command.txt": "the boot's",
	})
	if diff := cmp.Diff(want, list(t, to)); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}

	if err := Unpack(bytes.NewReader(archive.Bytes()), t.TempDir(), 100_000); !errors.Is(err, ErrTooLarge) || !strings.HasPrefix(err.Error(), "undeclared/a/b/c.bin: ") {
		t.Errorf("over the limit: %v", err)
	}
	if err := Unpack(bytes.NewReader(archive.Bytes()[:archive.Len()/2]), t.TempDir(), 1<<20); err == nil {
		t.Error("half an archive: no error")
	}
}

// TestManyOmitted checks that the list of what is omitted is bounded.
func TestManyOmitted(t *testing.T) {
	dir := t.TempDir()
	for i := range maxOmitted + 5 {
		if err := syscall.Mkfifo(filepath.Join(dir, fmt.Sprintf("fifo %d\n", i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	omitted, err := Pack(io.Discard, dir)
	if err != nil || len(omitted) != maxOmitted+1 || omitted[maxOmitted] != "and 5 more" || strings.Contains(omitted[0], "\n") {
		t.Errorf("omitted %q, %v", omitted, err)
	}
}

func TestUnpackStaysInside(t *testing.T) {
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "../out"},
		{Typeflag: tar.TypeReg, Name: "a/../../out"},
		{Typeflag: tar.TypeLink, Name: "a", Linkname: "../secret"},
		{Typeflag: tar.TypeFifo, Name: "a"},
		{Typeflag: tar.TypeDir, Name: "../out/"},
	} {
		var archive bytes.Buffer
		z := gzip.NewWriter(&archive)
		w := tar.NewWriter(z)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		for _, c := range []io.Closer{w, z} {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Unpack(&archive, dir, 1<<20); err == nil {
			t.Errorf("%s: no error", h.Name)
		}
		if _, err := os.Lstat(filepath.Join(dir, "../out")); err == nil {
			t.Errorf("%s: written outside", h.Name)
		}
	}
}

func TestDeliver(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{XML: "<testsuites/>", Undeclared + "/a/b": "undeclared"})
	env := map[string]string{
		"XML_OUTPUT_FILE":             filepath.Join(to, "xml"),
		"TEST_SHARD_STATUS_FILE":      filepath.Join(to, "status"),
		"TEST_UNDECLARED_OUTPUTS_DIR": filepath.Join(to, "outputs"),
	}
	if _, err := Deliver(dir, func(name string) string { return env[name] }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"xml": "<testsuites/>", "outputs/a/b": "undeclared"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(to, "status")); !os.IsNotExist(err) {
		t.Errorf("the test does not support sharding, but there is a status file: %v", err)
	}
	env["XML_OUTPUT_FILE"] = filepath.Join(to, "none", "xml")
	if _, err := Deliver(dir, func(name string) string { return env[name] }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory for test.xml: error %v", err)
	}
	if _, err := Deliver(dir, func(string) string { return "" }); err != nil {
		t.Errorf("nowhere to deliver to: %v", err)
	}
}

// TestDeliverLinks has links that no agent sends.
func TestDeliverLinks(t *testing.T) {
	dir, to := filepath.Join(t.TempDir(), "in"), t.TempDir()
	write(t, dir, map[string]string{Undeclared + "/file": ""})
	secret := filepath.Join(dir, "../secret")
	write(t, filepath.Dir(secret), map[string]string{"secret": "of the host"})
	for name, target := range map[string]string{
		XML: secret, Undeclared + "/absolute": secret, Undeclared + "/up": "../../secret", Undeclared + "/in": "file", Undeclared + "/chain": "up",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	xml := filepath.Join(t.TempDir(), "xml")
	omitted, err := Deliver(dir, func(name string) string {
		return map[string]string{"TEST_UNDECLARED_OUTPUTS_DIR": to, "XML_OUTPUT_FILE": xml}[name]
	})
	if err == nil || len(omitted) != 3 {
		t.Errorf("omitted %q, error %v, want an error for test.xml", omitted, err)
	}
	if diff := cmp.Diff(map[string]string{"file": "", "in": "-> file"}, list(t, to)); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(xml); err == nil {
		t.Error("test.xml has a file of the host")
	}
}
