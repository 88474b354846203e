package kernel_test

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

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio/cpiotest"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

func readModel(t *testing.T, img string) *kernel.Model {
	t.Helper()
	model, err := kernel.ReadModel(image.NewReader(strings.NewReader(img)), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func TestModel(t *testing.T) {
	for _, test := range cpiotest.Semantics {
		t.Run(test.Name, func(t *testing.T) {
			model := readModel(t, cpiotest.Archive(test.Records...))
			bodies := map[[sha256.Size]byte]string{sha256.Sum256(nil): ""}
			for _, r := range test.Records {
				bodies[sha256.Sum256([]byte(r.Body))] = r.Body
			}
			var got []string
			delete(model.Files, "/")
			for _, name := range slices.Sorted(maps.Keys(model.Files)) {
				f := model.Files[name]
				line := name + " "
				switch f.Type() {
				case cpio.TypeRegular:
					body, ok := bodies[f.Digest]
					if !ok || f.Size != int64(len(body)) {
						t.Errorf("%s has %d bytes and the digest %x", name, f.Size, f.Digest)
					}
					line += body
				case cpio.TypeDir:
					line += "dir"
				case cpio.TypePipe:
					line += "pipe"
				case cpio.TypeSymlink:
					line += "-> " + f.Target
				}
				for other, g := range model.Files {
					if f == g && other != name {
						line += " =" + other
					}
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.Want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// A device that is there keeps its numbers, and a directory its first time.
func TestModelStays(t *testing.T) {
	model := readModel(t, cpiotest.Archive(
		cpiotest.Record{Header: cpio.Header{Name: "n", Mode: 0o020600, NLink: 1, RMajor: 1, RMinor: 3, MTime: 1}, Body: ""},
		cpiotest.Record{Header: cpio.Header{Name: "n", Mode: 0o020666, NLink: 1, RMajor: 1, RMinor: 5, MTime: 2}, Body: ""},
		cpiotest.Record{Header: cpio.Header{Name: "d", Mode: 0o040755, NLink: 2, MTime: 1}, Body: ""},
		cpiotest.Record{Header: cpio.Header{Name: "d", Mode: 0o040700, NLink: 2, UID: 1, MTime: 2}, Body: ""},
	))
	want := map[string]kernel.File{
		"/":  {Mode: 0o040755, Body: -1, NLink: 3},
		"/n": {Mode: 0o020666, RMajor: 1, RMinor: 3, MTime: 2, Body: -1, NLink: 1},
		"/d": {Mode: 0o040700, UID: 1, MTime: 1, Body: -1, NLink: 2},
	}
	got := map[string]kernel.File{}
	for at, f := range model.Files {
		got[at] = *f
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(kernel.File{})); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// What became of each entry: where it is and what was there, or why it is not.
func TestModelResults(t *testing.T) {
	long := strings.Repeat("n", 256)
	tests := []struct {
		name    string
		records []cpiotest.Record
		want    []string
	}{
		{"made", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.File("./d/a", "1"), cpiotest.Symlink("l", "d"), cpiotest.File("l/b", "1"), cpiotest.Dir("l/"), cpiotest.Dir("")},
			[]string{"/d", "/d/a", "/l", "/d/b", "/d over 40755", "/ over 40755"}},
		{"replaced", []cpiotest.Record{cpiotest.File("a", "1"), cpiotest.File("a", "2"), cpiotest.Symlink("a", "x"), cpiotest.Symlink("a", "y"), cpiotest.Dir("a"), cpiotest.Dir("a"), cpiotest.Pipe("a")},
			[]string{"/a", "/a over 100644 1", "/a over 100644 2", "/a over 120777", "/a over 120777", "/a over 40755", "/a over 40755"}},
		{"names", []cpiotest.Record{cpiotest.Link(1, "a", "1"), cpiotest.File("b", "2"), cpiotest.Link(1, "b", "3"), cpiotest.Link(1, "a", "4")},
			[]string{"/a", "/b", "/b over 100644 2", "/a: hard link of nothing: it is a hard link of /a, which is not there over 100644 3"}},
		{"no parent", []cpiotest.Record{cpiotest.File("a/b/c", "1"), cpiotest.Dir("d"), cpiotest.Symlink("l", "d/e"), cpiotest.File("l/x", ""), cpiotest.Pipe("d/e/f"), cpiotest.Dir("d/e/f"), cpiotest.Symlink("d/e/f", "x"), cpiotest.File("d/e/../f", "")},
			[]string{"/a/b/c: no parent directory: there is no directory /a", "/d", "/l", "/l/x: no parent directory: there is no directory /d/e",
				"/d/e/f: no parent directory: there is no directory /d/e", "/d/e/f: no parent directory: there is no directory /d/e",
				"/d/e/f: no parent directory: there is no directory /d/e", "/d/f: no parent directory: there is no directory /d/e"}},
		{"no directory", []cpiotest.Record{cpiotest.File("a", "1"), cpiotest.File("a/b", "1"), cpiotest.Dir("a/"), cpiotest.Pipe("a/")},
			[]string{"/a", "/a/b: parent is no directory: /a is no directory", "/a: parent is no directory: /a is no directory", "/a: parent is no directory: /a is no directory"}},
		{"loop", []cpiotest.Record{cpiotest.Symlink("l", "l"), cpiotest.File("l/a", "1"), cpiotest.Dir("l/")},
			[]string{"/l", "/l/a: too many symbolic links: its name leads on to /l", "/l: too many symbolic links: its name leads on to /l"}},
		{"not empty", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.File("d/a", "1"), cpiotest.File("d", "1"), cpiotest.Symlink("d", "x"), cpiotest.Pipe("d")},
			[]string{"/d", "/d/a", "/d: directory not empty: a directory of that name is not empty", "/d: directory not empty: a directory of that name is not empty",
				"/d: directory not empty: a directory of that name is not empty over 40755"}},
		{"no way", []cpiotest.Record{cpiotest.Symlink("a", strings.Repeat("t", 4096)), {Header: cpio.Header{Name: "p", Mode: 0o010600}, Body: "x"}, {Header: cpio.Header{Name: "t", Mode: 0o600}, Body: ""}, cpiotest.File(long, ""), cpiotest.Pipe("p/"), cpiotest.File("f/", ""), cpiotest.File(".", "")},
			[]string{"/a: target too long: its target is longer than 4096 bytes", "/p: content without a regular file: it has content and is no regular file", "/t: unknown type: there is no type 0",
				"/" + long + ": unusable name: a part of its name is over 255 bytes", "/p: unusable name: its name ends in a slash and it is no directory",
				"/f: unusable name: its name ends in a slash and it is no directory", "/: unusable name: its name is a directory's"}},
		{"no file any more", []cpiotest.Record{cpiotest.Link(1, "a", "1"), cpiotest.Pipe("a"), cpiotest.Link(1, "b", "2"), cpiotest.Link(2, "c", "1"), cpiotest.Dir("c"), cpiotest.Link(2, "e", "2")},
			[]string{"/a", "/a over 100644 1", "/b: hard link of no regular file: it is a hard link of what is a pipe by now, which the kernel opens and waits for", "/c", "/c over 100644 1", "/e: hard link of nothing: it is a hard link of /c, which is a directory by now"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			_, err := kernel.ReadModel(image.NewReader(strings.NewReader(cpiotest.Archive(test.records...))), false, func(e *image.Entry, r kernel.Result, _ io.Reader) error {
				line := r.Path
				if r.Drop != 0 {
					line += fmt.Sprintf(": %v: %s", r.Drop, r.Detail)
				}
				if r.Replaced != nil {
					line += fmt.Sprintf(" over %o", r.Replaced.Mode)
					if r.Replaced.Body >= 0 {
						line += " " + test.records[r.Replaced.Body].Body
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
	img := cpiotest.Archive(cpiotest.File("a", "hello"), cpiotest.Link(1, "b", ""), cpiotest.Link(1, "c", "world"), cpiotest.Dir("d"), cpiotest.File("x/y", "lost"))
	for _, n := range []int64{0, 2, 100} {
		for _, digests := range []bool{false, true} {
			var got []string
			m, err := kernel.ReadModel(image.NewReader(strings.NewReader(img)), digests, func(e *image.Entry, _ kernel.Result, content io.Reader) error {
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
	if _, err := kernel.ReadModel(image.NewReader(strings.NewReader(img)), true, func(*image.Entry, kernel.Result, io.Reader) error { return stop }); err != stop {
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
		b.WriteString(cpiotest.Archive(cpiotest.Dir(at)))
	}
	b.WriteString(cpiotest.Archive(cpiotest.Symlink("a", at)))
	for i := range 20_000 {
		b.WriteString(cpiotest.Archive(cpiotest.Pipe(fmt.Sprint("a/", i))))
	}
	if _, err := kernel.ReadModel(image.NewReader(strings.NewReader(b.String())), false, nil); err != kernel.ErrPaths {
		t.Errorf("%v, want %v", err, kernel.ErrPaths)
	}
}

func TestLookup(t *testing.T) {
	records := []cpiotest.Record{cpiotest.Dir("usr"), cpiotest.Dir("usr/bin"), cpiotest.Symlink("bin", "usr/bin"), cpiotest.Symlink("abs", "/usr"), cpiotest.Symlink("up", "../../usr/./bin/"),
		cpiotest.File("usr/bin/busybox", "1"), cpiotest.Symlink("usr/bin/sh", "busybox"), cpiotest.Symlink("loop", "loop"), cpiotest.Symlink("dangling", "nothing"), cpiotest.File("bin/direct", "2")}
	for i := range 41 {
		records = append(records, cpiotest.Symlink(fmt.Sprint("hop", i), fmt.Sprint("hop", i+1)))
	}
	records = append(records, cpiotest.File("hop41", ""))
	model := readModel(t, cpiotest.Archive(records...))
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
		{"bin/nothing", "/usr/bin/nothing", kernel.ErrNoEntry},
		{"dangling", "/nothing", kernel.ErrNoEntry},
		{"nothing", "/nothing", kernel.ErrNoEntry},
		{"loop", "/loop", kernel.ErrLoop},
		{"hop1", "/hop41", nil},
		{"hop0", "/hop40", kernel.ErrLoop},
		{"bin/nothing/more/", "/usr/bin/nothing/more", kernel.ErrNoEntry},
		{"usr/bin/", "/usr/bin", nil},
		{"nothing/../usr", "/nothing/../usr", kernel.ErrNoEntry},
		{"usr/bin/busybox/x", "/usr/bin/busybox/x", kernel.ErrNoEntry},
		{"", "/", nil},
	}
	for _, test := range tests {
		_, got, err := model.Lookup(test.name)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %s, %v; want %s, %v", test.name, got, err, test.want, test.err)
		}
	}
}
