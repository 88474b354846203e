package rootfs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/newc"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

// extract unpacks an image to a directory next to which there are others, which
// must stay as they are, and returns it with what was reported of names.
func extract(t *testing.T, image string) (dir string, losses []string, err error) {
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
	err = rootfs.Extract(rootfs.NewReader(strings.NewReader(image)), dir, func(loss rootfs.Loss, name, reason string) {
		if loss != rootfs.LossOwner {
			losses = append(losses, name+": "+reason)
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
		t.Errorf("outside of the directory (-want +got):\n%s", diff)
	}
	if secret, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(secret) != "secret" {
		t.Errorf("outside of the directory: %q, %v", secret, err)
	}
	if info, err := os.Lstat(filepath.Join(outside, "secret")); err != nil || info.Mode() != 0o600 {
		t.Errorf("outside of the directory: %v, %v", info.Mode(), err)
	}
	return dir, losses, err
}

// listing has a line for each file below a directory, as semantics has.
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

// Extract makes what the index says.
func TestExtractSemantics(t *testing.T) {
	for _, test := range semantics {
		t.Run(test.name, func(t *testing.T) {
			dir, losses, err := extract(t, archive(test.records...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, listing(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			for _, loss := range losses {
				t.Log(loss)
			}
		})
	}
}

// Whatever the names and links say, nothing outside is read, written or changed:
// extract checks that.
func TestExtractEscapes(t *testing.T) {
	tests := []struct {
		name    string
		records []record
		want    []string
		losses  []string
	}{
		{"dots", []record{file("../x", "1"), file("../../../../y", "2"), dir("d"), file("d/../../../z", "3")},
			[]string{"/d dir", "/x 1", "/y 2", "/z 3"}, nil},
		{"absolute", []record{file("/x", "1"), file("//y", "2")}, []string{"/x 1", "/y 2"}, nil},
		{"symlink to a directory", []record{slink("l", "../../outside"), file("l/new", "1"), file("l/secret", "1"), dir("l/d"), slink("l/s", "x"), pipe("l/p")},
			[]string{"/l -> ../../outside"},
			[]string{
				"l/new: /l is a symbolic link, which is not followed", "l/secret: /l is a symbolic link, which is not followed",
				"l/d: /l is a symbolic link, which is not followed", "l/s: /l is a symbolic link, which is not followed",
				"l/p: /l is a symbolic link, which is not followed",
			}},
		{"symlink within", []record{dir("d"), slink("l", "d"), file("l/x", "1")},
			[]string{"/d dir", "/l -> d"}, []string{"l/x: /l is a symbolic link, which is not followed"}},
		{"symlink in the middle", []record{dir("d"), slink("d/l", "../../../outside"), file("d/l/secret", "1"), file("d/l/x/y", "1")},
			[]string{"/d dir", "/d/l -> ../../../outside"},
			[]string{"d/l/secret: /d/l is a symbolic link, which is not followed", "d/l/x/y: /d/l is a symbolic link, which is not followed"}},
		{"file through a symlink of its name", []record{slink("l", "../../outside/secret"), file("l", "1")}, []string{"/l 1"}, nil},
		{"hard link of a symlink", []record{slink("l", "../../outside/secret"), name(1, "../outside/secret", ""), name(1, "x", "1")},
			[]string{"/l -> ../../outside/secret"},
			[]string{"../outside/secret: there is no directory /outside", "x: it is a hard link of /outside/secret, which is not there"}},
		// The kernel makes a second name of the symbolic link, then opens it.
		{"hard link of what became a symlink", []record{name(1, "a", ""), slink("a", "../../outside/secret"), name(1, "b", "1")},
			[]string{"/a -> ../../outside/secret =/b", "/b -> ../../outside/secret =/a"},
			[]string{"b: what it is a hard link of is no file any more"}},
		{"hard link of what became a directory", []record{name(1, "a", ""), dir("a"), name(1, "b", "1")},
			[]string{"/a dir"}, []string{"b: it is a hard link of /a, which is a directory by now"}},
		{"directory that becomes a symlink", []record{dir("d"), dir("e"), slink("d", "../../outside"), file("d/secret", "1"), dir("d")},
			[]string{"/d dir", "/e dir"}, []string{"d/secret: /d is a symbolic link, which is not followed"}},
		{"directory that is not empty", []record{dir("d"), file("d/x", "1"), slink("d", "../../outside"), file("d/y", "2")},
			[]string{"/d dir", "/d/x 1", "/d/y 2"}, []string{"d: a directory of that name is not empty"}},
		{"no directory", []record{file("a/b/c", "1"), file("x", "1"), file("x/y", "2")}, []string{"/x 1"},
			[]string{"a/b/c: there is no directory /a", "x/y: /x is no directory"}},
		{"the root", []record{file("..", "1"), dir("."), slink("/", "x"), file("x", "1")}, []string{"/x 1"},
			[]string{"..: it has the root directory's name and is no directory", "/: it has the root directory's name and is no directory"}},
		{"long part of a name", []record{file(strings.Repeat("n", 256), "1"), file("x", "1")}, []string{"/x 1"},
			[]string{strings.Repeat("n", 256) + ": a part of its name is too long"}},
		{"no type", []record{{newc.Header{Name: "a", Mode: 0o644, NLink: 1}, ""}, file("x", "1")}, []string{"/x 1"}, []string{"a: there is no type 0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, losses, err := extract(t, archive(test.records...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, listing(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.losses, losses); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExtractMetadata(t *testing.T) {
	dir, losses, err := extract(t, archive(
		record{newc.Header{Name: "d", Mode: 0o041555, NLink: 2, MTime: 1700000000}, ""},
		record{newc.Header{Name: "d/f", Mode: 0o104751, NLink: 1, MTime: 1}, "x"},
		record{newc.Header{Name: "d/f", Mode: 0o100400, NLink: 1, MTime: 1}, "y"},
		record{newc.Header{Name: "d/f", Mode: 0o106751, NLink: 1, MTime: 1<<32 - 1}, "z"},
		record{newc.Header{Name: "p", Mode: 0o010622, NLink: 2, MTime: 3}, ""},
		record{newc.Header{Name: "s", Mode: 0o140600, NLink: 2, MTime: 4}, ""},
		record{newc.Header{Name: "l", Mode: 0o120777, NLink: 1, MTime: 5}, "d"},
		record{newc.Header{Name: "", Mode: 0o040711, NLink: 2, MTime: 6}, ""},
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

// The root directory gets its mode last, whatever sorts in front of it.
func TestExtractRootMode(t *testing.T) {
	dir, losses, err := extract(t, archive(record{newc.Header{Name: ".", Mode: 0o040000, NLink: 2}, ""}, dir("-d"), file("-d/f", "x")))
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

// A run that fails leaves nothing, and what is there is left alone.
func TestExtractFails(t *testing.T) {
	image := archive(dir("d"), file("d/a", "hello"), name(1, "x", ""), name(1, "y", "1"), slink("l", "/etc"), trailer)
	for n := range len(image) {
		dir := filepath.Join(t.TempDir(), "dir")
		made := n%2 == 0
		if !made {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		err := rootfs.Extract(rootfs.NewReader(strings.NewReader(image[:n])), dir, func(_ rootfs.Loss, name, reason string) {})
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
		err := rootfs.Extract(rootfs.NewReader(strings.NewReader(archive(file("a", "1")))), to, nil)
		if err == nil {
			t.Errorf("extracted to %s", to)
		}
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("there are %v", names)
	}
}
