package list_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

func TestKindString(t *testing.T) {
	tests := map[list.Kind]string{
		list.File: "file", list.Dir: "dir", list.Node: "nod", list.Symlink: "slink", list.Pipe: "pipe", list.Sock: "sock",
		0: "kind 0", 99: "kind 99", 255: "kind 255",
	}
	for kind, want := range tests {
		if got := kind.String(); got != want {
			t.Errorf("Kind(%d).String() = %q, want %q", kind, got, want)
		}
	}
}

func TestEntryMode(t *testing.T) {
	tests := []struct {
		entry list.Entry
		want  uint32
	}{
		{list.Entry{Kind: list.File, Perm: 0o7777}, 0o107777},
		{list.Entry{Kind: list.Dir, Perm: 0o755}, 0o040755},
		{list.Entry{Kind: list.Node, Perm: 0o600}, 0o020600},
		{list.Entry{Kind: list.Node, Perm: 0o600, Block: true}, 0o060600},
		{list.Entry{Kind: list.Symlink, Perm: 0o777}, 0o120777},
		{list.Entry{Kind: list.Pipe}, 0o010000},
		{list.Entry{Kind: list.Sock, Perm: 0o1}, 0o140001},
	}
	for _, test := range tests {
		if got := test.entry.Mode(); got != test.want {
			t.Errorf("mode of %v = %#o, want %#o", test.entry, got, test.want)
		}
	}
}

func TestEntryNames(t *testing.T) {
	links := make([]string, 1, 8)
	links[0] = "b"
	e := list.Entry{Kind: list.File, Name: "a", Links: links}
	if diff := cmp.Diff([]string{"a", "b"}, e.Names()); diff != "" {
		t.Errorf("Names (-want +got):\n%s", diff)
	}
	// What the caller does with the names is not the responsibility of the entry.
	_ = append(e.Names(), "c")
	e.Names()[1] = "d"
	if e.Links[0] != "b" || links[:2][1] != "" {
		t.Errorf("the entry's links changed to %q", links[:2])
	}
}

func TestEntryString(t *testing.T) {
	tests := []struct {
		entry list.Entry
		want  string
	}{
		{list.Entry{Kind: list.Dir, Perm: 0o755}, "dir / 0755 0 0"},
		{list.Entry{Kind: list.Dir, Name: "/a"}, "dir //a 0000 0 0"},
		{list.Entry{Kind: list.Dir, Name: "a", UID: 0xffffffff, GID: 0x80000000}, "dir /a 0000 4294967295 2147483648"},
		{list.Entry{Kind: list.File, Name: "a b", Location: "c d", Perm: 0o7777, Links: []string{"e f", "g"}},
			`file /a\040b c\040d 7777 0 0 /e\040f /g`},
		// A location that came from a variable does not become one again.
		{list.Entry{Kind: list.File, Name: "${a}", Location: `${a}\${b`}, `file /${a} \044{a}\\044{b 0000 0 0`},
		{list.Entry{Kind: list.Symlink, Name: "a", Target: `\040 ${x}`, Perm: 0o777}, `slink /a \134040\040${x} 0777 0 0`},
		{list.Entry{Kind: list.Node, Name: "a", Major: 4095, Minor: 1048575}, "nod /a 0000 0 0 c 4095 1048575"},
		{list.Entry{Kind: list.Node, Name: "a", Block: true}, "nod /a 0000 0 0 b 0 0"},
		{list.Entry{Kind: list.Pipe, Name: "a"}, "pipe /a 0000 0 0"},
		{list.Entry{Kind: list.Sock, Name: "a"}, "sock /a 0000 0 0"},
	}
	for _, test := range tests {
		if got := test.entry.String(); got != test.want {
			t.Errorf("printed %q, want %q", got, test.want)
		}
	}
}

func TestPosString(t *testing.T) {
	tests := []struct {
		pos  list.Pos
		want string
	}{
		{list.Pos{}, ""},
		{list.Pos{File: "a.list"}, "a.list"},
		{list.Pos{File: "a.list", Line: 7}, "a.list:7"},
		{list.Pos{Origin: "//a:b"}, "//a:b"},
		{list.Pos{Origin: "//a:b", File: "a.list", Line: 7}, "//a:b (a.list:7)"},
		{list.Pos{Line: 7}, ""},
	}
	for _, test := range tests {
		if got := test.pos.String(); got != test.want {
			t.Errorf("%#v prints %q, want %q", test.pos, got, test.want)
		}
	}
}

func TestError(t *testing.T) {
	err := error(&list.Error{Pos: list.Pos{File: "a.list", Line: 7}, Err: fs.ErrNotExist})
	if want := "a.list:7: file does not exist"; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err, want)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("the cause is lost")
	}
	if err := (&list.Error{Err: fs.ErrNotExist}).Error(); err != "file does not exist" {
		t.Errorf("without a place: %q", err)
	}
}
