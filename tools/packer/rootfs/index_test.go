package rootfs_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/newc"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

// semantics are archives and what is there when the kernel's rules are done with
// them: a line for each name, sorted.
var semantics = []struct {
	name    string
	records []record
	want    []string
}{
	{"names", []record{file("./a", "1"), file("/b", "2"), file("../c", "3"), dir("d/"), file("d//e", "4"), file("d/../f", "5")},
		[]string{"/a 1", "/b 2", "/c 3", "/d dir", "/d/e 4", "/f 5"}},
	{"a file twice", []record{file("a", "first"), file("a", "2")}, []string{"/a 2"}},
	{"a file twice, then empty", []record{file("a", "first"), file("a", "")}, []string{"/a "}},
	{"a link in place of a file", []record{file("a", "1"), slink("a", "b")}, []string{"/a -> b"}},
	{"a file in place of a link", []record{slink("a", "b"), file("b", "b"), file("a", "1")}, []string{"/a 1", "/b b"}},
	{"a directory in place of a link", []record{slink("a", "b"), dir("a"), file("a/c", "1")}, []string{"/a dir", "/a/c 1"}},
	{"a file in place of a directory", []record{dir("a"), file("a", "1")}, []string{"/a 1"}},
	{"a pipe in place of a file", []record{file("a", "1"), pipe("a")}, []string{"/a pipe"}},
	{"content on the last name", []record{name(1, "a", ""), name(1, "b", "x")}, []string{"/a x =/b", "/b x =/a"}},
	{"content on the first name", []record{name(1, "a", "x"), name(1, "b", "")}, []string{"/a x =/b", "/b x =/a"}},
	{"content on both names", []record{name(1, "a", "long"), name(1, "b", "x")}, []string{"/a x =/b", "/b x =/a"}},
	{"no content", []record{name(1, "a", ""), name(1, "b", "")}, []string{"/a  =/b", "/b  =/a"}},
	{"two files", []record{name(1, "a", ""), name(2, "b", "x")}, []string{"/a ", "/b x"}},
	{"a trailer between", []record{name(1, "a", "1"), trailer, name(1, "b", "2")}, []string{"/a 1", "/b 2"}},
	{"one name only", []record{{newc.Header{Name: "a", Mode: 0o100644, NLink: 1, Ino: 1}, "1"}, {newc.Header{Name: "b", Mode: 0o100644, NLink: 1, Ino: 1}, "2"}},
		[]string{"/a 1", "/b 2"}},
	{"a file written again has its other names", []record{name(1, "a", ""), name(1, "b", "x"), file("a", "new")}, []string{"/a new =/b", "/b new =/a"}},
	{"a name in place of a file", []record{file("b", "old"), name(1, "a", "x"), name(1, "b", "")}, []string{"/a x =/b", "/b x =/a"}},
	// maybe_link removes the name, then finds nothing to link to.
	{"a name twice", []record{name(1, "a", "x"), name(1, "a", "y")}, nil},
	{"a file with content of another type", []record{{newc.Header{Name: "a", Mode: 0o010600, NLink: 1}, "x"}, file("b", "1")}, []string{"/b 1"}},
	{"no type in place of a file", []record{file("a", "1"), {newc.Header{Name: "a", Mode: 0o644, NLink: 1}, ""}, file("b", "1")}, []string{"/b 1"}},
	{"a target that is too long", []record{slink("a", strings.Repeat("t", 4096)), file("b", "1")}, []string{"/b 1"}},
}

func readIndex(t *testing.T, image string) *rootfs.Index {
	t.Helper()
	index, err := rootfs.ReadIndex(rootfs.NewReader(strings.NewReader(image)), true)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func TestIndex(t *testing.T) {
	for _, test := range semantics {
		t.Run(test.name, func(t *testing.T) {
			index := readIndex(t, archive(test.records...))
			bodies := map[[sha256.Size]byte]string{sha256.Sum256(nil): ""}
			for _, r := range test.records {
				bodies[sha256.Sum256([]byte(r.body))] = r.body
			}
			var got []string
			for _, name := range slices.Sorted(maps.Keys(index.Files)) {
				f := index.Files[name]
				line := name + " "
				switch f.Type() {
				case rootfs.TypeRegular:
					body, ok := bodies[f.Digest]
					if !ok || f.Size != int64(len(body)) {
						t.Errorf("%s has %d bytes and the digest %x", name, f.Size, f.Digest)
					}
					line += body
				case rootfs.TypeDir:
					line += "dir"
				case rootfs.TypePipe:
					line += "pipe"
				case rootfs.TypeSymlink:
					line += "-> " + f.Target
				}
				for other, g := range index.Files {
					if f == g && other != name {
						line += " =" + other
					}
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// A device that is there keeps its numbers, and a directory its first time.
func TestIndexStays(t *testing.T) {
	index := readIndex(t, archive(
		record{newc.Header{Name: "n", Mode: 0o020600, NLink: 1, RMajor: 1, RMinor: 3, MTime: 1}, ""},
		record{newc.Header{Name: "n", Mode: 0o020666, NLink: 1, RMajor: 1, RMinor: 5, MTime: 2}, ""},
		record{newc.Header{Name: "d", Mode: 0o040755, NLink: 2, MTime: 1}, ""},
		record{newc.Header{Name: "d", Mode: 0o040700, NLink: 2, UID: 1, MTime: 2}, ""},
	))
	want := map[string]*rootfs.File{
		"/n": {Mode: 0o020666, RMajor: 1, RMinor: 3, MTime: 2, Body: -1},
		"/d": {Mode: 0o040700, UID: 1, MTime: 1, Body: -1},
	}
	if diff := cmp.Diff(want, index.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestLookup(t *testing.T) {
	records := []record{dir("usr"), dir("usr/bin"), slink("bin", "usr/bin"), slink("abs", "/usr"), slink("up", "../../usr/./bin/"),
		file("usr/bin/busybox", "1"), slink("usr/bin/sh", "busybox"), slink("loop", "loop"), slink("dangling", "nothing"), file("bin/direct", "2")}
	for i := range 41 {
		records = append(records, slink(fmt.Sprint("hop", i), fmt.Sprint("hop", i+1)))
	}
	records = append(records, file("hop41", ""))
	index := readIndex(t, archive(records...))
	tests := []struct {
		name, want string
		err        error
	}{
		{"/usr/bin/busybox", "/usr/bin/busybox", nil},
		{"usr/bin/sh", "/usr/bin/busybox", nil},
		{"bin/sh", "/usr/bin/busybox", nil},
		{"abs/bin/sh", "/usr/bin/busybox", nil},
		{"up/sh", "/usr/bin/busybox", nil},
		{"bin", "/usr/bin", nil},
		{"bin/direct", "/bin/direct", nil},
		{"../bin/./sh", "/usr/bin/busybox", nil},
		{"bin/nothing", "/usr/bin/nothing", rootfs.ErrNoEntry},
		{"dangling", "/nothing", rootfs.ErrNoEntry},
		{"nothing", "/nothing", rootfs.ErrNoEntry},
		{"loop", "/loop", rootfs.ErrLoop},
		{"hop2", "/hop41", nil},
		{"hop1", "/hop41", rootfs.ErrLoop},
	}
	for _, test := range tests {
		_, got, err := index.Lookup(test.name)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %s, %v; want %s, %v", test.name, got, err, test.want, test.err)
		}
	}
}
