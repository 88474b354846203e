package rootfs_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

func readModel(t *testing.T, image string) *rootfs.Model {
	t.Helper()
	model, err := rootfs.ReadModel(rootfs.NewReader(strings.NewReader(image)), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func TestModel(t *testing.T) {
	for _, test := range semantics {
		t.Run(test.name, func(t *testing.T) {
			model := readModel(t, archive(test.records...))
			bodies := map[[sha256.Size]byte]string{sha256.Sum256(nil): ""}
			for _, r := range test.records {
				bodies[sha256.Sum256([]byte(r.body))] = r.body
			}
			var got []string
			delete(model.Files, "/")
			for _, name := range slices.Sorted(maps.Keys(model.Files)) {
				f := model.Files[name]
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
				for other, g := range model.Files {
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
func TestModelStays(t *testing.T) {
	model := readModel(t, archive(
		record{newc.Header{Name: "n", Mode: 0o020600, NLink: 1, RMajor: 1, RMinor: 3, MTime: 1}, ""},
		record{newc.Header{Name: "n", Mode: 0o020666, NLink: 1, RMajor: 1, RMinor: 5, MTime: 2}, ""},
		record{newc.Header{Name: "d", Mode: 0o040755, NLink: 2, MTime: 1}, ""},
		record{newc.Header{Name: "d", Mode: 0o040700, NLink: 2, UID: 1, MTime: 2}, ""},
	))
	want := map[string]rootfs.File{
		"/":  {Mode: 0o040755, Body: -1, NLink: 3},
		"/n": {Mode: 0o020666, RMajor: 1, RMinor: 3, MTime: 2, Body: -1, NLink: 1},
		"/d": {Mode: 0o040700, UID: 1, MTime: 1, Body: -1, NLink: 2},
	}
	got := map[string]rootfs.File{}
	for at, f := range model.Files {
		got[at] = *f
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(rootfs.File{})); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// What became of each entry: where it is and what was there, or why it is not.
func TestModelResults(t *testing.T) {
	long := strings.Repeat("n", 256)
	tests := []struct {
		name    string
		records []record
		want    []string
	}{
		{"made", []record{dir("d"), file("./d/a", "1"), slink("l", "d"), file("l/b", "1"), dir("l/"), dir("")},
			[]string{"/d", "/d/a", "/l", "/d/b", "/d over 40755", "/ over 40755"}},
		{"replaced", []record{file("a", "1"), file("a", "2"), slink("a", "x"), slink("a", "y"), dir("a"), dir("a"), pipe("a")},
			[]string{"/a", "/a over 100644 1", "/a over 100644 2", "/a over 120777", "/a over 120777", "/a over 40755", "/a over 40755"}},
		{"names", []record{name(1, "a", "1"), file("b", "2"), name(1, "b", "3"), name(1, "a", "4")},
			[]string{"/a", "/b", "/b over 100644 2", "/a: hard link of nothing: it is a hard link of /a, which is not there over 100644 3"}},
		{"no parent", []record{file("a/b/c", "1"), dir("d"), slink("l", "d/e"), file("l/x", ""), pipe("d/e/f"), dir("d/e/f"), slink("d/e/f", "x"), file("d/e/../f", "")},
			[]string{"/a/b/c: no parent directory: there is no directory /a", "/d", "/l", "/l/x: no parent directory: there is no directory /d/e",
				"/d/e/f: no parent directory: there is no directory /d/e", "/d/e/f: no parent directory: there is no directory /d/e",
				"/d/e/f: no parent directory: there is no directory /d/e", "/d/f: no parent directory: there is no directory /d/e"}},
		{"no directory", []record{file("a", "1"), file("a/b", "1"), dir("a/"), pipe("a/")},
			[]string{"/a", "/a/b: parent is no directory: /a is no directory", "/a: parent is no directory: /a is no directory", "/a: parent is no directory: /a is no directory"}},
		{"loop", []record{slink("l", "l"), file("l/a", "1"), dir("l/")},
			[]string{"/l", "/l/a: too many symbolic links: its name leads on to /l", "/l: too many symbolic links: its name leads on to /l"}},
		{"not empty", []record{dir("d"), file("d/a", "1"), file("d", "1"), slink("d", "x"), pipe("d")},
			[]string{"/d", "/d/a", "/d: directory not empty: a directory of that name is not empty", "/d: directory not empty: a directory of that name is not empty",
				"/d: directory not empty: a directory of that name is not empty over 40755"}},
		{"no way", []record{slink("a", strings.Repeat("t", 4096)), {newc.Header{Name: "p", Mode: 0o010600}, "x"}, {newc.Header{Name: "t", Mode: 0o600}, ""}, file(long, ""), pipe("p/"), file("f/", ""), file(".", "")},
			[]string{"/a: target too long: its target is longer than 4096 bytes", "/p: content without a regular file: it has content and is no regular file", "/t: unknown type: there is no type 0",
				"/" + long + ": unusable name: a part of its name is over 255 bytes", "/p: unusable name: its name ends in a slash and it is no directory",
				"/f: unusable name: its name ends in a slash and it is no directory", "/: unusable name: its name is a directory's"}},
		{"no file any more", []record{name(1, "a", "1"), pipe("a"), name(1, "b", "2"), name(2, "c", "1"), dir("c"), name(2, "e", "2")},
			[]string{"/a", "/a over 100644 1", "/b: hard link of no regular file: it is a hard link of what is a pipe by now, which the kernel opens and waits for", "/c", "/c over 100644 1", "/e: hard link of nothing: it is a hard link of /c, which is a directory by now"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			_, err := rootfs.ReadModel(rootfs.NewReader(strings.NewReader(archive(test.records...))), false, func(e *rootfs.Entry, r rootfs.Result, _ io.Reader) error {
				line := r.Path
				if r.Drop != 0 {
					line += fmt.Sprintf(": %v: %s", r.Drop, r.Detail)
				}
				if r.Replaced != nil {
					line += fmt.Sprintf(" over %o", r.Replaced.Mode)
					if r.Replaced.Body >= 0 {
						line += " " + test.records[r.Replaced.Body].body
					}
				}
				got = append(got, line)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The content that ReadModel hands on is the entry's, whatever of it is read.
func TestReadModelContent(t *testing.T) {
	image := archive(file("a", "hello"), name(1, "b", ""), name(1, "c", "world"), dir("d"), file("x/y", "lost"))
	for _, n := range []int64{0, 2, 100} {
		for _, digests := range []bool{false, true} {
			var got []string
			m, err := rootfs.ReadModel(rootfs.NewReader(strings.NewReader(image)), digests, func(e *rootfs.Entry, _ rootfs.Result, content io.Reader) error {
				body, err := io.ReadAll(io.LimitReader(content, n))
				got = append(got, string(body))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, body := range []string{"hello", "", "world", "", "lost"} {
				want = append(want, body[:min(int(n), len(body))])
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			digest := [sha256.Size]byte{}
			if digests {
				digest = sha256.Sum256([]byte("world"))
			}
			if m.Files["/b"].Digest != digest {
				t.Errorf("%d bytes read: the digest is %x", n, m.Files["/b"].Digest)
			}
		}
	}
	stop := errors.New("stop")
	if _, err := rootfs.ReadModel(rootfs.NewReader(strings.NewReader(image)), true, func(*rootfs.Entry, rootfs.Result, io.Reader) error { return stop }); err != stop {
		t.Errorf("%v, want %v", err, stop)
	}
}

// Short names that lead far over symbolic links are an error before they take
// all memory.
func TestReadModelPaths(t *testing.T) {
	var b strings.Builder
	part := strings.Repeat("p", 250)
	at := ""
	for range 15 {
		at += "/" + part
		b.WriteString(archive(dir(at)))
	}
	b.WriteString(archive(slink("a", at)))
	for i := range 20_000 {
		b.WriteString(archive(pipe(fmt.Sprint("a/", i))))
	}
	if _, err := rootfs.ReadModel(rootfs.NewReader(strings.NewReader(b.String())), false, nil); err != rootfs.ErrPaths {
		t.Errorf("%v, want %v", err, rootfs.ErrPaths)
	}
}

func TestLookup(t *testing.T) {
	records := []record{dir("usr"), dir("usr/bin"), slink("bin", "usr/bin"), slink("abs", "/usr"), slink("up", "../../usr/./bin/"),
		file("usr/bin/busybox", "1"), slink("usr/bin/sh", "busybox"), slink("loop", "loop"), slink("dangling", "nothing"), file("bin/direct", "2")}
	for i := range 41 {
		records = append(records, slink(fmt.Sprint("hop", i), fmt.Sprint("hop", i+1)))
	}
	records = append(records, file("hop41", ""))
	model := readModel(t, archive(records...))
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
		{"bin/direct", "/usr/bin/direct", nil},
		{"../bin/./sh", "/usr/bin/busybox", nil},
		{"bin/nothing", "/usr/bin/nothing", rootfs.ErrNoEntry},
		{"dangling", "/nothing", rootfs.ErrNoEntry},
		{"nothing", "/nothing", rootfs.ErrNoEntry},
		{"loop", "/loop", rootfs.ErrLoop},
		{"hop1", "/hop41", nil},
		{"hop0", "/hop40", rootfs.ErrLoop},
		{"bin/nothing/more/", "/usr/bin/nothing/more", rootfs.ErrNoEntry},
		{"usr/bin/", "/usr/bin", nil},
		{"nothing/../usr", "/nothing/../usr", rootfs.ErrNoEntry},
		{"usr/bin/busybox/x", "/usr/bin/busybox/x", rootfs.ErrNoEntry},
		{"", "/", nil},
	}
	for _, test := range tests {
		_, got, err := model.Lookup(test.name)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %s, %v; want %s, %v", test.name, got, err, test.want, test.err)
		}
	}
}
