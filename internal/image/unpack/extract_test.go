package unpack_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio/cpiotest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/unpack"
)

// loss is what Extract reports.
type loss struct {
	kind         unpack.Loss
	name, reason string
}

// namesOf returns the names of losses.
func namesOf(losses []loss) []string {
	var names []string
	for _, l := range losses {
		names = append(names, l.name)
	}
	return names
}

// extract unpacks an image to a directory next to others, which must stay as they are.
// It returns the directory and the losses other than owners.
func extract(t *testing.T, img string) (dir string, losses []loss, err error) {
	t.Helper()
	base := t.TempDir()
	dir = filepath.Join(base, "a/dir")
	outside := filepath.Join(base, "outside")
	for _, d := range []string{filepath.Dir(dir), outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = unpack.Extract(image.NewReader(strings.NewReader(img)), dir, func(kind unpack.Loss, name, reason string) {
		if kind != unpack.LossOwner {
			losses = append(losses, loss{kind, name, reason})
		}
	})
	want := []string{"a", "outside", "outside/secret"}
	if err == nil {
		want = append(want, "a/dir")
	}
	var got []string
	filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(base, path); err == nil && rel != "." && !strings.HasPrefix(rel, "a/dir/") {
			got = append(got, rel)
		}
		return nil
	})
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outside the directory (-want +got):\n%s", diff)
	}
	if secret, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(secret) != "secret" {
		t.Errorf("outside the directory: %q, %v", secret, err)
	}
	if info, err := os.Lstat(filepath.Join(outside, "secret")); err != nil || info.Mode() != 0o600 {
		t.Errorf("outside the directory: %v, %v", info.Mode(), err)
	}
	return dir, losses, err
}

// listing has a line for each file below a directory, as cpiotest.Semantics has.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	var infos []fs.FileInfo
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := strings.TrimPrefix(path, dir) + " "
		switch {
		case info.Mode().IsRegular():
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += string(body)
		case info.IsDir():
			line += "dir"
		case info.Mode()&fs.ModeNamedPipe != 0:
			line += "pipe"
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += "-> " + target
		}
		lines, infos = append(lines, line), append(infos, info)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	plain := slices.Clone(lines)
	for i := range lines {
		for j := range lines {
			if i != j && os.SameFile(infos[i], infos[j]) {
				name, _, _ := strings.Cut(plain[j], " ")
				lines[i] += " =" + name
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// Extract makes what the kernel makes.
func TestExtractSemantics(t *testing.T) {
	for _, test := range cpiotest.Semantics {
		t.Run(test.Name, func(t *testing.T) {
			dir, losses, err := extract(t, cpiotest.Archive(test.Records...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.Want, listing(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			t.Log(losses)
		})
	}
}

// Whatever the names and links say, nothing outside is read, written or changed:
// extract checks that.
func TestExtractEscapes(t *testing.T) {
	texts := map[string]string{}
	tests := []struct {
		name    string
		records []cpiotest.Record
		want    []string
		losses  []string
	}{
		{"dots", []cpiotest.Record{cpiotest.File("../x", "1"), cpiotest.File("../../../../y", "2"), cpiotest.Dir("d"), cpiotest.File("d/../../../z", "3")},
			[]string{"/d dir", "/x 1", "/y 2", "/z 3"}, nil},
		{"absolute", []cpiotest.Record{cpiotest.File("/x", "1"), cpiotest.File("//y", "2")}, []string{"/x 1", "/y 2"}, nil},
		{"symlink to a directory", []cpiotest.Record{cpiotest.Symlink("l", "../../outside"), cpiotest.File("l/new", "1"), cpiotest.File("l/secret", "1"), cpiotest.Dir("l/d"), cpiotest.Symlink("l/s", "x"), cpiotest.Pipe("l/p")},
			[]string{"/l -> ../../outside"}, []string{"l/new", "l/secret", "l/d", "l/s", "l/p"}},
		{"symlink to a directory that is inside too", []cpiotest.Record{cpiotest.Dir("outside"), cpiotest.Symlink("l", "../../outside"), cpiotest.File("l/secret", "1"), cpiotest.Dir("l/d")},
			[]string{"/l -> ../../outside", "/outside dir", "/outside/d dir", "/outside/secret 1"}, nil},
		{"symlink within", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.Symlink("l", "d"), cpiotest.File("l/x", "1")},
			[]string{"/d dir", "/d/x 1", "/l -> d"}, nil},
		{"symlink in the middle", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.Symlink("d/l", "../../../outside"), cpiotest.File("d/l/secret", "1"), cpiotest.File("d/l/x/y", "1")},
			[]string{"/d dir", "/d/l -> ../../../outside"}, []string{"d/l/secret", "d/l/x/y"}},
		{"file through a symlink of its name", []cpiotest.Record{cpiotest.Symlink("l", "../../outside/secret"), cpiotest.File("l", "1")}, []string{"/l 1"}, nil},
		{"hard link of a symlink", []cpiotest.Record{cpiotest.Symlink("l", "../../outside/secret"), cpiotest.Link(1, "../outside/secret", ""), cpiotest.Link(1, "x", "1")},
			[]string{"/l -> ../../outside/secret"}, []string{"../outside/secret", "x"}},
		// The kernel makes a second name of the symbolic link, then opens it.
		{"hard link of what became a symlink", []cpiotest.Record{cpiotest.Link(1, "a", ""), cpiotest.Symlink("a", "../../outside/secret"), cpiotest.Link(1, "b", "1")},
			[]string{"/a -> ../../outside/secret =/b", "/b -> ../../outside/secret =/a"}, []string{"b"}},
		{"hard link of what became a directory", []cpiotest.Record{cpiotest.Link(1, "a", ""), cpiotest.Dir("a"), cpiotest.Link(1, "b", "1")},
			[]string{"/a dir"}, []string{"b"}},
		{"directory that becomes a symlink", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.Dir("e"), cpiotest.Symlink("d", "../../outside"), cpiotest.File("d/secret", "1"), cpiotest.Dir("d")},
			[]string{"/d dir", "/e dir"}, []string{"d/secret"}},
		{"directory that is not empty", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.File("d/x", "1"), cpiotest.Symlink("d", "../../outside"), cpiotest.File("d/y", "2")},
			[]string{"/d dir", "/d/x 1", "/d/y 2"}, []string{"d"}},
		{"no directory", []cpiotest.Record{cpiotest.File("a/b/c", "1"), cpiotest.File("x", "1"), cpiotest.File("x/y", "2")}, []string{"/x 1"},
			[]string{"a/b/c", "x/y"}},
		{"the root", []cpiotest.Record{cpiotest.File("..", "1"), cpiotest.Dir("."), cpiotest.Symlink("/", "x"), cpiotest.File("x", "1")}, []string{"/x 1"},
			[]string{"..", "/"}},
		{"long component", []cpiotest.Record{cpiotest.File(strings.Repeat("n", 256), "1"), cpiotest.File("x", "1")}, []string{"/x 1"},
			[]string{strings.Repeat("n", 256)}},
		{"symlink to nothing", []cpiotest.Record{cpiotest.Symlink("l", ""), cpiotest.File("x", "1")}, []string{"/x 1"}, []string{"l"}},
		{"no type", []cpiotest.Record{{Header: cpio.Header{Name: "a", Mode: 0o644, NLink: 1}, Body: ""}, cpiotest.File("x", "1")}, []string{"/x 1"}, []string{"a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, losses, err := extract(t, cpiotest.Archive(test.records...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, listing(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.losses, namesOf(losses)); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
			for i, l := range losses {
				if l.kind != unpack.LossDropped {
					t.Errorf("%s: loss %d", l.name, l.kind)
				}
				texts[fmt.Sprintf("%s, %d", test.name, i+1)] = l.reason
			}
		})
	}
	golden.Messages(t, "TestExtractEscapes.txt", texts)
}

func TestExtractMetadata(t *testing.T) {
	dir, losses, err := extract(t, cpiotest.Archive(
		cpiotest.Record{Header: cpio.Header{Name: "d", Mode: 0o041555, NLink: 2, MTime: 1700000000}, Body: ""},
		cpiotest.Record{Header: cpio.Header{Name: "d/f", Mode: 0o104751, NLink: 1, MTime: 1}, Body: "x"},
		cpiotest.Record{Header: cpio.Header{Name: "d/f", Mode: 0o100400, NLink: 1, MTime: 1}, Body: "y"},
		cpiotest.Record{Header: cpio.Header{Name: "d/f", Mode: 0o106751, NLink: 1, MTime: 1<<32 - 1}, Body: "z"},
		cpiotest.Record{Header: cpio.Header{Name: "p", Mode: 0o010622, NLink: 2, MTime: 3}, Body: ""},
		cpiotest.Record{Header: cpio.Header{Name: "s", Mode: 0o140600, NLink: 2, MTime: 4}, Body: ""},
		cpiotest.Record{Header: cpio.Header{Name: "l", Mode: 0o120777, NLink: 1, MTime: 5}, Body: "d"},
		cpiotest.Record{Header: cpio.Header{Name: "", Mode: 0o040711, NLink: 2, MTime: 6}, Body: ""},
	))
	if err != nil || losses != nil {
		t.Fatal(err, losses)
	}
	var got []string
	for _, name := range []string{".", "d", "d/f", "l", "p", "s"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %v %d", name, info.Mode(), info.ModTime().Unix()))
	}
	want := []string{". drwx--x--x 6", "d dtr-xr-xr-x 1700000000", "d/f ugrwxr-x--x 4294967295", "l Lrwxrwxrwx 5", "p prw--w--w- 3", "s Srw------- 4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	os.Chmod(filepath.Join(dir, "d"), 0o755) // else it cannot be removed
}

// The root directory gets its mode last, whatever sorts before it.
func TestExtractRootMode(t *testing.T) {
	dir, losses, err := extract(t, cpiotest.Archive(cpiotest.Record{Header: cpio.Header{Name: ".", Mode: 0o040000, NLink: 2}, Body: ""}, cpiotest.Dir("-d"), cpiotest.File("-d/f", "x")))
	if err != nil || losses != nil {
		t.Fatal(err, losses)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/-d dir", "/-d/f x"}, listing(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A failed run leaves nothing, and does not touch what was there before.
func TestExtractFails(t *testing.T) {
	img := cpiotest.Archive(cpiotest.Dir("d"), cpiotest.File("d/a", "hello"), cpiotest.Link(1, "x", ""), cpiotest.Link(1, "y", "1"), cpiotest.Symlink("l", "/etc"), cpiotest.Trailer)
	for n := range len(img) {
		dir := filepath.Join(t.TempDir(), "dir")
		made := n%2 == 0
		if !made {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		err := unpack.Extract(image.NewReader(strings.NewReader(img[:n])), dir, func(_ unpack.Loss, name, reason string) {})
		names, errDir := os.ReadDir(dir)
		switch {
		case err == nil:
		case made && !os.IsNotExist(errDir):
			t.Errorf("%d bytes: %v: the directory is left", n, err)
		case !made && (errDir != nil || len(names) > 0):
			t.Errorf("%d bytes: %v: left %v, %v", n, err, names, errDir)
		}
	}
}

func TestExtractToFull(t *testing.T) {
	dir := t.TempDir()
	keep := filepath.Join(dir, "keep")
	if err := os.WriteFile(keep, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{dir, keep, filepath.Join(dir, "missing/dir")} {
		err := unpack.Extract(image.NewReader(strings.NewReader(cpiotest.Archive(cpiotest.File("a", "1")))), to, nil)
		if err == nil {
			t.Errorf("extracted to %s", to)
		}
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("there are %v", names)
	}
}

// Directories far down, and names of one file at both ends.
func TestExtractDeep(t *testing.T) {
	var records []cpiotest.Record
	at := ""
	for len(at) < 2000 {
		at += "a/"
		records = append(records, cpiotest.Dir(strings.TrimSuffix(at, "/")))
	}
	records = append(records, cpiotest.Link(1, at+"f", "content"), cpiotest.Link(1, "f", ""), cpiotest.Symlink("a.l", at[:100]))
	dir, losses, err := extract(t, cpiotest.Archive(records...))
	if err != nil || losses != nil {
		t.Fatal(err, losses)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	info, err := root.Stat(at + "f")
	if err != nil {
		t.Fatal(err)
	}
	if first, err := root.Stat("f"); err != nil || !os.SameFile(info, first) || info.Size() != 7 {
		t.Errorf("%v, %v", first, err)
	}
}
