package unpack_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio/cpiotest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/image/unpack"
	"github.com/rules-initramfs/rules_initramfs/rules/tests/boot/model/cases"
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

// Extract makes what the model of the kernel has. A kernel judges the same cases in
// rules/tests/boot/model.
func TestExtractModel(t *testing.T) {
	var img strings.Builder
	img.WriteString(cpiotest.Archive(cpiotest.Dir("c")))
	for _, c := range cases.All() {
		for _, r := range c.Records {
			img.Write(r.Bytes())
		}
	}
	img.WriteString(cpiotest.Archive(cpiotest.Trailer))
	checkExtract(t, img.String())
}

// Where an earlier Extract had rules of its own, which differed.
func TestExtractAsKernel(t *testing.T) {
	const unset = 1<<32 - 1
	with := func(r cpiotest.Record, mode, uid, gid, mtime uint32) cpiotest.Record {
		r.Mode, r.UID, r.GID, r.MTime = r.Mode&cpio.TypeMask|mode, uid, gid, mtime
		return r
	}
	tests := []struct {
		name    string
		records []cpiotest.Record
	}{
		{"group -1 below a set-group-ID directory", []cpiotest.Record{with(cpiotest.Dir("d"), 0o2755, 5, 6, 1), with(cpiotest.File("d/f", "1"), 0o644, 0, unset, 1), with(cpiotest.Dir("d/d"), 0o755, 0, unset, 1), with(cpiotest.Pipe("d/p"), 0o600, 0, unset, 1), with(cpiotest.Symlink("d/l", "f"), 0o777, 0, unset, 1)}},
		{"names below a symbolic link", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.Symlink("l", "d"), cpiotest.File("l/f", "1"), cpiotest.Dir("l/d"), cpiotest.Symlink("l/d/l", "/l"), cpiotest.File("d/d/l/g", "2")}},
		{"up from a directory that does not exist", []cpiotest.Record{cpiotest.File("n/../a", "1"), cpiotest.File("b", "2")}},
		{"a slash after a file", []cpiotest.Record{cpiotest.File("f/", "1"), cpiotest.Pipe("p/"), cpiotest.File("g", "1"), cpiotest.Symlink("g/", "x")}},
		{"a slash after a symbolic link", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.Symlink("l", "d"), with(cpiotest.Dir("l/"), 0o700, 0, 0, 7)}},
		{"metadata of a directory that stays", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.File("d/f", "1"), with(cpiotest.Pipe("d"), 0o1700, 0, 0, 7)}},
		{"a name of what became a symbolic link", []cpiotest.Record{cpiotest.Link(1, "a", "1"), cpiotest.Symlink("a", "new"), cpiotest.Link(1, "b", "2")}},
		{"the time of a directory that became a file", []cpiotest.Record{with(cpiotest.Dir("d"), 0o755, 0, 0, 5), with(cpiotest.File("d", "1"), 0o644, 0, 0, 6), cpiotest.Trailer}},
		{"the first name of a file, with a symbolic link before it", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.Symlink("l", "d"), cpiotest.Link(1, "l/a", "1"), cpiotest.Link(1, "b", "")}},
		{"device numbers over 12 and 20 bits", []cpiotest.Record{{Header: cpio.Header{Name: "c", Mode: 0o020600, NLink: 1, RMajor: 1<<12 | 1, RMinor: 3}}, {Header: cpio.Header{Name: "b", Mode: 0o060600, NLink: 1, RMajor: 8, RMinor: 3<<20 | 1}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkExtract(t, cpiotest.Archive(cpiotest.Dir("/"))+cpiotest.Archive(test.records...))
		})
	}
}

// checkExtract compares what Extract makes of an image with the model.
func checkExtract(t *testing.T, img string) {
	t.Helper()
	model, err := kernel.ReadModel(image.NewReader(strings.NewReader(img)), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "dir")
	lost := map[string]unpack.Loss{}
	err = unpack.Extract(image.NewReader(strings.NewReader(img)), dir, func(kind unpack.Loss, name, _ string) {
		lost[kernel.CleanPath(name)] = kind
	})
	if err != nil {
		t.Fatal(err)
	}
	got := readDir(t, dir)
	inos := map[int]string{}
	for _, at := range slices.Sorted(maps.Keys(model.Files)) {
		f := model.Files[at]
		first, ok := inos[f.Ino()]
		if !ok {
			inos[f.Ino()], first = at, at
		}
		info, ok := got[at]
		delete(got, at)
		if !ok {
			if kind, isLost := lost[first]; !isLost || kind == unpack.LossOwner || f.Type() == cpio.TypeRegular || f.Type() == cpio.TypeDir {
				t.Errorf("%q is not there", at)
			}
			continue
		}
		stat := info.Sys().(*syscall.Stat_t)
		mode, nlink := f.Mode, uint64(f.NLink)
		if f.Type() == cpio.TypeDir {
			nlink = uint64(stat.Nlink) // not all file systems count as the kernel's rootfs
		}
		if uint32(stat.Mode) != mode || uint64(stat.Nlink) != nlink || info.ModTime().Unix() != int64(f.MTime) {
			t.Errorf("%q has mode %o, %d names, time %d; want %o, %d, %d", at, stat.Mode, stat.Nlink, info.ModTime().Unix(), mode, nlink, f.MTime)
		}
		if _, isLost := lost[first]; !isLost && (stat.Uid != f.UID || stat.Gid != f.GID) {
			t.Errorf("%q is of %d:%d, want %d:%d", at, stat.Uid, stat.Gid, f.UID, f.GID)
		}
		name := filepath.Join(dir, at)
		switch f.Type() {
		case cpio.TypeRegular:
			os.Chmod(name, 0o600)
			if body, err := os.ReadFile(name); err != nil || sha256.Sum256(body) != f.Digest {
				t.Errorf("%q has other content: %v", at, err)
			}
		case cpio.TypeSymlink:
			if target, err := os.Readlink(name); err != nil || target != f.Target {
				t.Errorf("%q leads to %q, %v; want %q", at, target, err, f.Target)
			}
		case cpio.TypeChar, cpio.TypeBlock:
			rdev := uint64(stat.Rdev)
			if major, minor := rdev>>8&0xfff, rdev&0xff|rdev>>12&0xfff00; major != uint64(f.RMajor) || minor != uint64(f.RMinor) {
				t.Errorf("%q is the device %d, %d, want %d, %d", at, major, minor, f.RMajor, f.RMinor)
			}
		}
	}
	for at := range got {
		t.Errorf("%q is there", at)
	}
}

// readDir returns what is in a directory. Directories let their owner read
// afterwards.
func readDir(t *testing.T, dir string) map[string]fs.FileInfo {
	t.Helper()
	infos := map[string]fs.FileInfo{}
	var read func(at string)
	read = func(at string) {
		info, err := os.Lstat(filepath.Join(dir, at))
		if err != nil {
			t.Fatal(err)
		}
		infos[at] = info
		if !info.IsDir() {
			return
		}
		if err := os.Chmod(filepath.Join(dir, at), 0o700); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(filepath.Join(dir, at))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			read(kernel.CleanPath(at + "/" + e.Name()))
		}
	}
	read("/")
	return infos
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

// A failed run leaves nothing behind and does not touch what was there before.
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
