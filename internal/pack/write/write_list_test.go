package write

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

func number(n uint32) *uint32 { return &n }

// What is written is what is read: the list of a layer keeps all that joining needs.
func TestCompletedRoundTrip(t *testing.T) {
	a, b := list.Pos{Origin: "//a:a"}, list.Pos{Origin: "@@other//b:b c"}
	entries := []*list.Entry{
		{Kind: list.Dir, Name: "d", Perm: 0o755, Added: true, Pos: a},
		{Kind: list.Dir, Name: "d/e", Perm: 0o1777, UID: 7, GID: 4294967295, MTime: number(0), Pos: a},
		{Kind: list.File, Name: "d/f g", Location: "out/${x} y\\040", Perm: 0o644, Links: []string{"d/h", "i\n"}, MTime: number(4294967295), Pos: a},
		{Kind: list.File, Name: "empty", Location: "/dev/null", Perm: 0o600, Replaces: []string{"/empty"}, Pos: b},
		{Kind: list.Symlink, Name: "s", Target: "\\040 \t", Perm: 0o777, Replaces: []string{"/s", "/with blank"}, Pos: b},
		{Kind: list.Node, Name: "n", Perm: 0o600, Block: true, Major: 7, Minor: 1048575, Pos: b},
		{Kind: list.Pipe, Name: "p", Perm: 0o644, Pos: a},
		{Kind: list.Sock, Name: "q", Perm: 0o644, Added: true, MTime: number(1), Replaces: []string{"/q"}, Pos: a},
	}
	var text strings.Builder
	if err := List(&text, entries, true); err != nil {
		t.Fatal(err)
	}
	got, err := source.ReadCompleted("layer.list", strings.NewReader(text.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, &text)
	}
	if diff := cmp.Diff(entries, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("entries (-written +read):\n%s\nof\n%s", diff, &text)
	}
}

// Only the list of a layer says what was added and replaced; both say times.
func TestWriteListLayer(t *testing.T) {
	entries := []*list.Entry{{Kind: list.Pipe, Name: "p", Perm: 0o644, Added: true, MTime: number(5), Replaces: []string{"/p"}}}
	for layer, want := range map[bool]string{
		false: "#: mtime 5\npipe /p 0644 0 0\n",
		true:  "#: mtime 5\n#: added\n#: replaces /p\npipe /p 0644 0 0\n",
	} {
		var b strings.Builder
		if err := List(&b, entries, layer); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("layer %t (-want +got):\n%s", layer, diff)
		}
	}
}

func TestReadCompletedFaults(t *testing.T) {
	for text, want := range map[string]string{
		"#: mtime -1\npipe /p 0644 0 0\n":  `layer.list:1: bad mtime "-1": want seconds since 1970, 0 to 4294967295`,
		"#: mtime\npipe /p 0644 0 0\n":     `layer.list:1: unknown directive "mtime" of a completed list`,
		"#: replaces\npipe /p 0644 0 0\n":  `layer.list:1: unknown directive "replaces" of a completed list`,
		"dir /d 0755 0 0\n#: origin //a\n": `layer.list:2: unknown directive "origin" of a completed list`,
		"dir /d 0755 0\n":                  "layer.list:1: too few fields: no gid; want: dir <name> <mode> <uid> <gid>",
	} {
		_, err := source.ReadCompleted("layer.list", strings.NewReader(text))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestList(t *testing.T) {
	entry := func(origin, name string) *list.Entry {
		return &list.Entry{Kind: list.Pipe, Name: name, Perm: 0o600, Pos: list.Pos{Origin: origin}}
	}
	tests := []struct {
		name    string
		entries []*list.Entry
		want    string
	}{
		{"nothing", nil, ""},
		{"no origins", []*list.Entry{entry("", "a"), entry("", "b c")}, "pipe /a 0600 0 0\npipe /b\\040c 0600 0 0\n"},
		{
			"origins",
			[]*list.Entry{entry("", "a"), entry("//x:x", "b"), entry("//x:x", "c"), entry("//y:y", "d"), entry("//x:x", "e")},
			"pipe /a 0600 0 0\n# //x:x\npipe /b 0600 0 0\npipe /c 0600 0 0\n# //y:y\npipe /d 0600 0 0\n# //x:x\npipe /e 0600 0 0\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if err := List(&b, test.entries, false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, b.String()); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			full := errors.New("no space left")
			if err := List(failingWriter{full}, test.entries, false); test.want != "" && err != full {
				t.Errorf("a writer that fails: %v, want %v", err, full)
			}
		})
	}
}
