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
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
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

// made is what a result says: where the record is and what was there, or why it is
// nowhere.
type made struct {
	path string
	drop kernel.Drop
	// over is the mode of what was there, and its content.
	over string
	// how is "new", or "=" and the path of the file that it links.
	how string
}

func TestModelResults(t *testing.T) {
	long := strings.Repeat("n", 256)
	texts := map[string]string{}
	tests := []struct {
		name    string
		records []cpiotest.Record
		want    []made
	}{
		{"made", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.File("./d/a", "1"), cpiotest.Symlink("l", "d"), cpiotest.File("l/b", "1"), cpiotest.Dir("l/"), cpiotest.Dir("")},
			[]made{{"/d", 0, "", "new"}, {"/d/a", 0, "", "new"}, {"/l", 0, "", "new"}, {"/d/b", 0, "", "new"}, {"/d", 0, "40755", ""}, {"/", 0, "40755", ""}}},
		{"replaced", []cpiotest.Record{cpiotest.File("a", "1"), cpiotest.File("a", "2"), cpiotest.Symlink("a", "x"), cpiotest.Symlink("a", "y"), cpiotest.Dir("a"), cpiotest.Dir("a"), cpiotest.Pipe("a")},
			[]made{{"/a", 0, "", "new"}, {"/a", 0, "100644 1", ""}, {"/a", 0, "100644 2", "new"}, {"/a", 0, "120777", "new"}, {"/a", 0, "120777", "new"}, {"/a", 0, "40755", ""}, {"/a", 0, "40755", "new"}}},
		{"names", []cpiotest.Record{cpiotest.Link(1, "a", "1"), cpiotest.File("b", "2"), cpiotest.Link(1, "b", "3"), cpiotest.Link(1, "c", ""), cpiotest.Link(1, "a", "4")},
			[]made{{"/a", 0, "", "new"}, {"/b", 0, "", "new"}, {"/b", 0, "100644 2", "=/a"}, {"/c", 0, "", "=/a"}, {"/a", kernel.DropLink, "100644 3", ""}}},
		{"names of a pipe, and of what became a symbolic link", []cpiotest.Record{
			{Header: cpio.Header{Name: "p", Mode: 0o010600, Ino: 1, NLink: 2}}, {Header: cpio.Header{Name: "q", Mode: 0o010600, Ino: 1, NLink: 2}},
			cpiotest.Link(2, "a", "1"), cpiotest.Symlink("a", "new"), cpiotest.Link(2, "b", "2"), cpiotest.Link(2, "c", "3"),
		},
			[]made{{"/p", 0, "", "new"}, {"/q", 0, "", "=/p"}, {"/a", 0, "", "new"}, {"/a", 0, "100644 1", "new"}, {"/new", 0, "", "new"}, {"/new", 0, "", ""}}},
		{"no parent", []cpiotest.Record{cpiotest.File("a/b/c", "1"), cpiotest.Dir("d"), cpiotest.Symlink("l", "d/e"), cpiotest.File("l/x", ""), cpiotest.Pipe("d/e/f"), cpiotest.Dir("d/e/f"), cpiotest.Symlink("d/e/f", "x"), cpiotest.File("d/e/../f", "")},
			[]made{{"/a/b/c", kernel.DropNoParent, "", ""}, {"/d", 0, "", "new"}, {"/l", 0, "", "new"}, {"/l/x", kernel.DropNoParent, "", ""},
				{"/d/e/f", kernel.DropNoParent, "", ""}, {"/d/e/f", kernel.DropNoParent, "", ""}, {"/d/e/f", kernel.DropNoParent, "", ""}, {"/d/f", kernel.DropNoParent, "", ""}}},
		{"no directory", []cpiotest.Record{cpiotest.File("a", "1"), cpiotest.File("a/b", "1"), cpiotest.Dir("a/"), cpiotest.Pipe("a/")},
			[]made{{"/a", 0, "", "new"}, {"/a/b", kernel.DropNotDirectory, "", ""}, {"/a", kernel.DropNotDirectory, "", ""}, {"/a", kernel.DropNotDirectory, "", ""}}},
		{"loop", []cpiotest.Record{cpiotest.Symlink("l", "l"), cpiotest.File("l/a", "1"), cpiotest.Dir("l/")},
			[]made{{"/l", 0, "", "new"}, {"/l/a", kernel.DropLoop, "", ""}, {"/l", kernel.DropLoop, "", ""}}},
		{"not empty", []cpiotest.Record{cpiotest.Dir("d"), cpiotest.File("d/a", "1"), cpiotest.File("d", "1"), cpiotest.Symlink("d", "x"), cpiotest.Pipe("d")},
			[]made{{"/d", 0, "", "new"}, {"/d/a", 0, "", "new"}, {"/d", kernel.DropNotEmpty, "", ""}, {"/d", kernel.DropNotEmpty, "", ""}, {"/d", kernel.DropNotEmpty, "40755", ""}}},
		{"unusable", []cpiotest.Record{cpiotest.Symlink("a", strings.Repeat("t", 4096)), {Header: cpio.Header{Name: "p", Mode: 0o010600}, Body: "x"}, {Header: cpio.Header{Name: "t", Mode: 0o600}, Body: ""}, cpiotest.File(long, ""), cpiotest.Pipe("p/"), cpiotest.File("f/", ""), cpiotest.File(".", "")},
			[]made{{"/a", kernel.DropTarget, "", ""}, {"/p", kernel.DropBody, "", ""}, {"/t", kernel.DropType, "", ""},
				{"/" + long, kernel.DropName, "", ""}, {"/p", kernel.DropName, "", ""}, {"/f", kernel.DropName, "", ""}, {"/", kernel.DropName, "", ""}}},
		{"no longer a file", []cpiotest.Record{cpiotest.Link(1, "a", "1"), cpiotest.Pipe("a"), cpiotest.Link(1, "b", "2"), cpiotest.Link(2, "c", "1"), cpiotest.Dir("c"), cpiotest.Link(2, "e", "2")},
			[]made{{"/a", 0, "", "new"}, {"/a", 0, "100644 1", "new"}, {"/b", kernel.DropOpen, "", ""}, {"/c", 0, "", "new"}, {"/c", 0, "100644 1", "new"}, {"/e", kernel.DropLink, "", ""}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []made
			_, err := kernel.ReadModel(image.NewReader(strings.NewReader(cpiotest.Archive(test.records...))), false, func(e *image.Entry, r kernel.Result, _ io.Reader) error {
				m := made{path: r.Path, drop: r.Drop}
				if r.Drop != 0 {
					texts[fmt.Sprintf("%s, record %d", test.name, e.Index+1)] = r.Detail
				}
				if r.Replaced != nil {
					m.over = fmt.Sprintf("%o", r.Replaced.Mode)
					if r.Replaced.Body >= 0 {
						m.over += " " + test.records[r.Replaced.Body].Body
					}
				}
				switch {
				case r.Linked != "":
					m.how = "=" + r.Linked
				case r.Created:
					m.how = "new"
				}
				got = append(got, m)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(made{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	golden.Messages(t, "TestModelResults.txt", texts)
}

// Over files that are not known, directories are there and links are not followed.
func TestOverlay(t *testing.T) {
	tests := []struct {
		name    string
		records []*kernel.Record
		want    []made
	}{
		{"directories", []*kernel.Record{{Name: "a/b/c", Mode: 0o100644}, {Name: "a/b", Mode: 0o040755}, {Name: "a/b", Mode: 0o040700}, {Name: "a", Mode: 0o100644}},
			[]made{{"/a/b/c", 0, "", "new"}, {"/a/b", 0, "", "new"}, {"/a/b", 0, "40755", ""}, {"/a", kernel.DropNotEmpty, "", ""}}},
		{"symbolic links", []*kernel.Record{{Name: "l", Mode: 0o120777, Target: "nothing"}, {Name: "l/a", Mode: 0o100644}, {Name: "l/", Mode: 0o040755}, {Name: "l/d/a", Mode: 0o010644}},
			[]made{{"/l", 0, "", "new"}, {"/l/a", 0, "", "new"}, {"/l", kernel.DropUnknown, "", ""}, {"/l/d/a", 0, "", "new"}}},
		{"below a file", []*kernel.Record{{Name: "f", Mode: 0o100644}, {Name: "f/a", Mode: 0o100644}},
			[]made{{"/f", 0, "", "new"}, {"/f/a", kernel.DropNotDirectory, "", ""}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := kernel.NewOverlay()
			var got []made
			for _, record := range test.records {
				r := m.Add(record)
				one := made{path: r.Path, drop: r.Drop}
				if r.Replaced != nil {
					one.over = fmt.Sprintf("%o", r.Replaced.Mode)
				}
				if r.Created {
					one.how = "new"
				}
				got = append(got, one)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(made{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	m := kernel.NewOverlay()
	m.Add(&kernel.Record{Name: "d", Mode: 0o042755, UID: 5, GID: 6})
	m.Add(&kernel.Record{Name: "d/f", Mode: 0o100644, UID: 1<<32 - 1, GID: 1<<32 - 1})
	m.Add(&kernel.Record{Name: "d/g", Mode: 0o100644, UID: 7, GID: 8})
	m.Add(&kernel.Record{Name: "d/g", Mode: 0o100644, UID: 1<<32 - 1, GID: 9})
	for at, want := range map[string][2]uint32{"/d": {5, 6}, "/d/f": {1<<32 - 1, 1<<32 - 1}, "/d/g": {7, 9}} {
		if f := m.Files[at]; f.UID != want[0] || f.GID != want[1] {
			t.Errorf("%s is of %d:%d, want %v", at, f.UID, f.GID, want)
		}
	}
}

// The content that ReadModel passes on is the entry's, whatever of it is read.
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
	for i := range 40_000 {
		b.WriteString(cpiotest.Archive(cpiotest.Pipe(fmt.Sprint("a/", i))))
	}
	if _, err := kernel.ReadModel(image.NewReader(strings.NewReader(b.String())), false, nil); err != kernel.ErrText {
		t.Errorf("%v, want %v", err, kernel.ErrText)
	}
}

// So are long names and targets of all kinds, but not those that are gone.
func TestModelText(t *testing.T) {
	long := strings.Repeat("/", 4000)
	target := strings.Repeat("t", 4000)
	for _, test := range []struct {
		name   string
		record func(i int) *kernel.Record
		err    error
	}{
		{"targets", func(i int) *kernel.Record {
			return &kernel.Record{Name: fmt.Sprint(i), Mode: cpio.TypeSymlink, Target: target}
		}, kernel.ErrText},
		{"a target again", func(i int) *kernel.Record {
			return &kernel.Record{Name: "l", Mode: cpio.TypeSymlink, Target: target}
		}, nil},
		{"first names", func(i int) *kernel.Record {
			return &kernel.Record{Name: long + "f", Mode: cpio.TypeRegular, NLink: 2, Inode: kernel.Inode{Ino: uint32(i)}}
		}, kernel.ErrText},
		{"first names, with trailers", func(i int) *kernel.Record {
			return &kernel.Record{Name: long + "f", Mode: cpio.TypeRegular, NLink: 2, Inode: kernel.Inode{Trailers: i}}
		}, nil},
		{"directories", func(i int) *kernel.Record { return &kernel.Record{Name: long + "d", Mode: cpio.TypeDir} }, kernel.ErrText},
		{"files", func(i int) *kernel.Record { return &kernel.Record{Name: long + "f", Mode: cpio.TypeRegular} }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := kernel.NewModel()
			for i := range 40_000 {
				m.Add(test.record(i))
				if i == 20_000 && m.Err() != nil {
					t.Fatal(m.Err())
				}
			}
			if err := m.Err(); err != test.err {
				t.Errorf("%v, want %v", err, test.err)
			}
		})
	}
}

// Links that lead far take time, not memory.
func TestModelLinks(t *testing.T) {
	m := kernel.NewModel()
	m.Add(&kernel.Record{Name: "a", Mode: cpio.TypeDir})
	for i := range 39 {
		m.Add(&kernel.Record{Name: fmt.Sprint("l", i), Mode: cpio.TypeSymlink, Target: strings.Repeat("a/../", 800) + fmt.Sprint("l", i+1)})
	}
	m.Add(&kernel.Record{Name: "l39", Mode: cpio.TypeDir})
	for i := range 100 {
		m.Add(&kernel.Record{Name: fmt.Sprint("l0/", i), Mode: cpio.TypePipe}) // in one directory
	}
	if err := m.Err(); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		m.Add(&kernel.Record{Name: fmt.Sprint(strings.Repeat("./", i%2), "l0/", i), Mode: cpio.TypePipe})
	}
	if err := m.Err(); err != kernel.ErrLinks {
		t.Errorf("%v, want %v", err, kernel.ErrLinks)
	}
}

// So are directories that names only imply.
func TestOverlayPaths(t *testing.T) {
	var b strings.Builder
	for i := range 100 {
		b.WriteString(cpiotest.Archive(cpiotest.File(fmt.Sprint(i)+strings.Repeat("/d", 2000), "")))
	}
	if err := kernel.NewOverlay().Read(image.NewReader(strings.NewReader(b.String())), false, nil); err != kernel.ErrText {
		t.Errorf("%v, want %v", err, kernel.ErrText)
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

func TestDirectory(t *testing.T) {
	m := kernel.NewModel()
	for _, r := range []*kernel.Record{
		{Name: "usr", Mode: 0o040755}, {Name: "usr/lib", Mode: 0o040755}, {Name: "lib", Mode: 0o120777, Target: "usr/lib"}, {Name: "f", Mode: 0o100644},
		{Name: "loop", Mode: 0o120777, Target: "loop/a"}, {Name: "far", Mode: 0o120777, Target: "/usr/share/far"},
	} {
		m.Add(r)
	}
	for _, test := range []struct {
		name, want string
		drop       kernel.Drop
	}{
		{"/", "/", 0}, {"lib", "/usr/lib", 0}, {"/lib/..", "/usr", 0}, {"usr/share/doc", "/usr/share", kernel.DropNoParent},
		{"lib/modules", "/usr/lib/modules", kernel.DropNoParent}, {"far", "/usr/share", kernel.DropNoParent}, {"far/x", "/usr/share", kernel.DropNoParent},
		{"f", "/f", kernel.DropNotDirectory}, {"f/x", "/f", kernel.DropNotDirectory}, {"loop", "/loop", kernel.DropLoop}, {"loop/x", "/loop", kernel.DropLoop},
		{strings.Repeat("n", 256) + "/x", "/", kernel.DropName},
	} {
		if got := m.Directory(test.name); got.Path != test.want || got.Drop != test.drop || (got.Drop != 0) != (got.Detail != "") {
			t.Errorf("%.20s: %+v, want %s, %d", test.name, got, test.want, test.drop)
		}
	}
}
