package cpiotest

import (
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// Semantics are archives and what is there when the kernel's rules are done with
// them: a line for each name, sorted.
var Semantics = []struct {
	Name    string
	Records []Record
	Want    []string
}{
	{"names", []Record{File("./a", "1"), File("/b", "2"), File("../c", "3"), Dir("d/"), File("d//e", "4"), File("d/../f", "5")},
		[]string{"/a 1", "/b 2", "/c 3", "/d dir", "/d/e 4", "/f 5"}},
	{"a file twice", []Record{File("a", "first"), File("a", "2")}, []string{"/a 2"}},
	{"a file twice, then empty", []Record{File("a", "first"), File("a", "")}, []string{"/a "}},
	{"a link in place of a file", []Record{File("a", "1"), Symlink("a", "b")}, []string{"/a -> b"}},
	{"a file in place of a link", []Record{Symlink("a", "b"), File("b", "b"), File("a", "1")}, []string{"/a 1", "/b b"}},
	{"a directory in place of a link", []Record{Symlink("a", "b"), Dir("a"), File("a/c", "1")}, []string{"/a dir", "/a/c 1"}},
	{"a file in place of a directory", []Record{Dir("a"), File("a", "1")}, []string{"/a 1"}},
	{"a pipe in place of a file", []Record{File("a", "1"), Pipe("a")}, []string{"/a pipe"}},
	{"content on the last name", []Record{Link(1, "a", ""), Link(1, "b", "x")}, []string{"/a x =/b", "/b x =/a"}},
	{"content on the first name", []Record{Link(1, "a", "x"), Link(1, "b", "")}, []string{"/a x =/b", "/b x =/a"}},
	{"content on both names", []Record{Link(1, "a", "long"), Link(1, "b", "x")}, []string{"/a x =/b", "/b x =/a"}},
	{"no content", []Record{Link(1, "a", ""), Link(1, "b", "")}, []string{"/a  =/b", "/b  =/a"}},
	{"two files", []Record{Link(1, "a", ""), Link(2, "b", "x")}, []string{"/a ", "/b x"}},
	{"a trailer between", []Record{Link(1, "a", "1"), Trailer, Link(1, "b", "2")}, []string{"/a 1", "/b 2"}},
	{"one name only", []Record{{Header: cpio.Header{Name: "a", Mode: 0o100644, NLink: 1, Ino: 1}, Body: "1"}, {Header: cpio.Header{Name: "b", Mode: 0o100644, NLink: 1, Ino: 1}, Body: "2"}},
		[]string{"/a 1", "/b 2"}},
	{"a file written again has its other names", []Record{Link(1, "a", ""), Link(1, "b", "x"), File("a", "new")}, []string{"/a new =/b", "/b new =/a"}},
	{"a name in place of a file", []Record{File("b", "old"), Link(1, "a", "x"), Link(1, "b", "")}, []string{"/a x =/b", "/b x =/a"}},
	// maybe_link removes the name, then finds nothing to link to.
	{"a name twice", []Record{Link(1, "a", "x"), Link(1, "a", "y")}, nil},
	{"a file with content of another type", []Record{{Header: cpio.Header{Name: "a", Mode: 0o010600, NLink: 1}, Body: "x"}, File("b", "1")}, []string{"/b 1"}},
	{"no type in place of a file", []Record{File("a", "1"), {Header: cpio.Header{Name: "a", Mode: 0o644, NLink: 1}, Body: ""}, File("b", "1")}, []string{"/b 1"}},
	{"a target that is too long", []Record{Symlink("a", strings.Repeat("t", 4096)), File("b", "1")}, []string{"/b 1"}},
}
