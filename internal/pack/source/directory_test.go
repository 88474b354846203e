package source

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

// A directory's entries come in the order of whole lines "PATH MODE UID GID".
func TestReadDirectory(t *testing.T) {
	packtest.InTree(t, map[string]string{
		"tree/sub/z": "", "tree/sub-1": "", "tree/sub.d/x": "", "tree/sub!": "", "tree/B": "", "tree/a b": "", "tree/a": "", "tree/a*": "",
	})
	if err := os.Symlink("../x y", "tree/link"); err != nil {
		t.Fatal(err)
	}
	packtest.MakeFIFO(t, "tree/pipe")
	l, err := net.Listen("unix", "tree/sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, mode := range map[string]uint32{"a": 0o4711, "a b": 0o644, "a*": 0, "B": 0o600, "sub!": 0o640, "sub-1": 0o7777, "sub/z": 0o1444, "sub.d/x": 0o700, "sub": 0o2755, "sub.d": 0o700, "sock": 0o666} {
		if err := syscall.Chmod("tree/"+name, mode); err != nil {
			t.Fatal(err)
		}
	}
	all, paths, err := ReadDirectory("tree", Owners{Squash{All: true}, Squash{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"file /B tree/B 0600 0 0",
		"file /a tree/a 4711 0 0",
		`file /a\040b tree/a\040b 0644 0 0`,
		"file /a* tree/a* 0000 0 0",
		`slink /link ../x\040y 0777 0 0`,
		"pipe /pipe 0600 0 0",
		"sock /sock 0666 0 0",
		"dir /sub 2755 0 0",
		"file /sub! tree/sub! 0640 0 0",
		"file /sub-1 tree/sub-1 7777 0 0",
		"dir /sub.d 0700 0 0",
		"file /sub.d/x tree/sub.d/x 0700 0 0",
		"file /sub/z tree/sub/z 1444 0 0",
	}
	if diff := cmp.Diff(want, packtest.Lines(all)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	wantPaths := "tree|tree/B|tree/a|tree/a b|tree/a*|tree/pipe|tree/sock|tree/sub|tree/sub!|tree/sub-1|tree/sub.d|tree/sub.d/x|tree/sub/z"
	if got := strings.Join(paths, "|"); got != wantPaths {
		t.Errorf("paths %s, want %s", got, wantPaths)
	}
}

func TestReadDirectoryNames(t *testing.T) {
	packtest.InTree(t, map[string]string{"tree/sub/f": "", "empty/x": ""})
	if err := os.Remove("empty/x"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tree", "link"); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"tree":         "tree/sub/f",
		"tree/":        "tree/sub/f",
		".//tree///":   "./tree/sub/f",
		"link":         "link/sub/f",
		"tree/../tree": "tree/../tree/sub/f",
	} {
		all, _, err := ReadDirectory(dir, Owners{})
		if err != nil || len(all) != 2 || all[1].Name != "sub/f" || all[1].Location != want {
			t.Errorf("%s: %q, %v, want %s", dir, packtest.Lines(all), err, want)
		}
	}
	if all, paths, err := ReadDirectory("empty", Owners{}); len(all)+len(paths) > 0 || err != nil {
		t.Errorf("of an empty directory: %v, %v, %v", all, paths, err)
	}
}

// The names of a file are one entry, after the directories of all of them.
func TestReadDirectoryHardLinks(t *testing.T) {
	packtest.InTree(t, map[string]string{"tree/a": "a", "tree/z/x": "", "tree/m": "m"})
	for name, file := range map[string]string{"tree/z/a": "tree/a", "tree/z/b": "tree/a", "outside": "tree/m"} {
		if err := os.Link(file, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tree/a", "tree/m", "tree/z/x"} {
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod("tree/z", 0o755); err != nil {
		t.Fatal(err)
	}
	all, _, err := ReadDirectory("tree", Owners{Squash{All: true}, Squash{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"file /m tree/m 0644 0 0",
		"dir /z 0755 0 0",
		"file /a tree/a 0644 0 0 /z/a /z/b",
		"file /z/x tree/z/x 0644 0 0",
	}
	if diff := cmp.Diff(want, packtest.Lines(all)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestReadDirectoryErrors(t *testing.T) {
	packtest.InTree(t, map[string]string{"tree/TRAILER!!!": "", "tree/closed/x": "", "tree/sub/TRAILER!!!": ""})
	want := []string{"tree: the kernel takes an entry named TRAILER!!! for the end of the archive"}
	if os.Geteuid() != 0 {
		if err := os.Chmod("tree/closed", 0); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod("tree/closed", 0o700)
		want = append(want, "tree: cannot read tree/closed: permission denied")
	}
	_, _, err := ReadDirectory("tree", Owners{})
	if diff := cmp.Diff(want, packtest.Messages(err)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	_, _, err = ReadDirectory("missing", Owners{})
	if diff := cmp.Diff([]string{"missing: cannot read missing: no such file or directory"}, packtest.Messages(err)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestSquash(t *testing.T) {
	for _, test := range []struct {
		squash   Squash
		id, want uint32
	}{
		{Squash{}, 0, 0}, {Squash{}, 5, 5},
		{Squash{ID: 5}, 5, 0}, {Squash{ID: 5}, 6, 6}, {Squash{ID: 5}, 0, 0},
		{Squash{All: true}, 1<<32 - 1, 0},
	} {
		if got := test.squash.of(test.id); got != test.want {
			t.Errorf("%+v of %d = %d, want %d", test.squash, test.id, got, test.want)
		}
	}
}

func TestDeviceNumbers(t *testing.T) {
	for dev, want := range map[uint64][2]uint32{
		5<<8 | 1:   {5, 1},
		0x0010fffe: {255, 510},
		0xffffffff: {4095, 1048575},
	} {
		if major, minor := deviceNumbers(dev); [2]uint32{major, minor} != want {
			t.Errorf("deviceNumbers(%#x) = %d, %d, want %d", dev, major, minor, want)
		}
	}
}

// What is put in the place of a file or directory after it was found is not packed.
func TestReadDirectoryReplaced(t *testing.T) {
	packtest.InTree(t, map[string]string{"dir/file": "content", "dir/sub/other": "content", "secret/other": "secret"})
	entries, _, err := ReadDirectory("dir", Owners{})
	if err != nil {
		t.Fatal(err)
	}
	file := entries[0]
	content, err := OpenContent(file)
	if err != nil {
		t.Fatal(err)
	}
	content.Close()
	// The file remains, so that no other gets its number.
	if err := os.Link("dir/file", "kept"); err != nil {
		t.Fatal(err)
	}
	for _, replace := range []func() error{
		func() error { return os.Symlink("../secret/other", "new") },
		func() error { return os.WriteFile("new", []byte("another"), 0o666) },
		func() error { return os.Link("secret/other", "new") },
	} {
		if err := errors.Join(replace(), os.Rename("new", "dir/file")); err != nil {
			t.Fatal(err)
		}
		if content, err := OpenContent(file); err == nil {
			content.Close()
			t.Error("a file that was replaced is read")
		}
	}

	d := &directory{root: "dir"}
	info, err := os.Stat("dir/sub")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename("dir/sub", "moved"), os.Symlink("../secret", "dir/sub")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.readOne("sub/", fileID(info)); err != errReplaced || len(d.found) > 0 {
		t.Errorf("a directory that was replaced: %v, %d entries; want %v and none", err, len(d.found), errReplaced)
	}
}
