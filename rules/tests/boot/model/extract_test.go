package model_test

import (
	"crypto/sha256"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio/cpiotest"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/image/unpack"
)

// Extract makes what the model of the kernel has. A kernel judges the same cases.
func TestExtractModel(t *testing.T) {
	var img strings.Builder
	img.WriteString(cpiotest.Archive(cpiotest.Dir("c")))
	for _, c := range allCases() {
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
