package list_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

func number(n uint32) *uint32 { return &n }

// What is written is what is read.
func TestWriteRoundTrip(t *testing.T) {
	a, b := list.Pos{Origin: "//a:a"}, list.Pos{Origin: "@@other//b:b c"}
	entries := []*list.Entry{
		{Kind: list.Dir, Name: "d", Perm: 0o755, Added: true, Pos: a},
		{Kind: list.Dir, Name: "d/e", Perm: 0o1777, UID: 7, GID: 4294967295, MTime: number(0), Pos: a},
		{Kind: list.File, Name: "d/f g", Location: "out/${x} y\\040", Perm: 0o644, Links: []string{"d/h", "i\n"}, MTime: number(4294967295), Size: 5, Reason: "/bin/a\n\\ needs b", Producer: "//x:tool", Pos: a},
		{Kind: list.File, Name: "g", Location: "out/g", Perm: 0o644, Producer: "//x:tool", Pos: a},
		{Kind: list.Symlink, Name: "h", Target: "g", Perm: 0o777, Pos: a},
		{Kind: list.File, Name: "i", Location: "out/i", Perm: 0o644, Pos: a},
		{Kind: list.File, Name: "j", Location: "out/j", Perm: 0o644, Producer: "@@other//y:a b", Pos: a},
		{Kind: list.File, Name: "empty", Location: "/dev/null", Perm: 0o600, Pos: b},
		{Kind: list.Symlink, Name: "s", Target: "\\040 \t", Perm: 0o777, Pos: b},
		{Kind: list.Node, Name: "n", Perm: 0o600, Block: true, Major: 7, Minor: 1048575, Pos: b},
		{Kind: list.Pipe, Name: "p", Perm: 0o644, Pos: a},
		{Kind: list.Sock, Name: "q", Perm: 0o644, Added: true, MTime: number(1), Pos: a},
	}
	members := []list.Member{{Codec: "zstd", Entries: 7}, {Codec: "none", Entries: 5}, {Codec: "gzip"}}
	var text strings.Builder
	if err := list.Write(&text, entries, members); err != nil {
		t.Fatal(err)
	}
	got, directives, faults := parse(t, text.String(), list.Options{Name: "layer.list", Directives: true})
	if len(faults) > 0 {
		t.Fatalf("%v in\n%s", faults, &text)
	}
	if diff := cmp.Diff(entries, got); diff != "" {
		t.Errorf("entries (-written +read):\n%s\nof\n%s", diff, &text)
	}
	var words []string
	for _, d := range directives {
		words = append(words, strings.Join(append([]string{d.Word}, d.Args...), " "))
	}
	want := []string{"origin //a:a", "member zstd", "origin @@other//b:b c", "member none", "origin //a:a", "member gzip"}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Errorf("directives (-want +got):\n%s", diff)
	}
}

func TestWrite(t *testing.T) {
	entry := func(origin, name string) *list.Entry {
		return &list.Entry{Kind: list.Pipe, Name: name, Perm: 0o600, Pos: list.Pos{Origin: origin}}
	}
	replacing := entry("//x:x", "r")
	replacing.Replaces, replacing.Attribute, replacing.MTime, replacing.Added = []string{"/r", "/s t"}, "replaces", number(5), true
	word := entry("//x:x", "u")
	word.Replaces = []string{"/u"}
	file := &list.Entry{Kind: list.File, Name: "f", Location: "x", Perm: 0o600, Size: 5}
	tests := []struct {
		name    string
		entries []*list.Entry
		members []list.Member
		want    string
	}{
		{name: "nothing"},
		{
			name:    "no origins",
			entries: []*list.Entry{entry("", "a"), entry("", "b c")},
			want:    "pipe /a 0600 0 0\npipe /b\\040c 0600 0 0\n",
		},
		{
			name:    "origins",
			entries: []*list.Entry{entry("", "a"), entry("//x:x", "b"), entry("//x:x", "c"), entry("//y:y", "d"), entry("//x:x", "e"), entry("", "f")},
			want:    "pipe /a 0600 0 0\n#: origin //x:x\npipe /b 0600 0 0\npipe /c 0600 0 0\n#: origin //y:y\npipe /d 0600 0 0\n#: origin //x:x\npipe /e 0600 0 0\n#: origin\npipe /f 0600 0 0\n",
		},
		{
			name:    "what an entry has",
			entries: []*list.Entry{replacing, word},
			want:    "#: origin //x:x\n#: mtime 5\n#: added\n#: attribute replaces\n#: replaces /r\n#: replaces /s\\040t\npipe /r 0600 0 0\n#: attribute\n#: replaces /u\npipe /u 0600 0 0\n",
		},
		{
			name:    "sizes and members are for layers",
			entries: []*list.Entry{file},
			want:    "file /f x 0600 0 0\n",
		},
		{
			name:    "a layer",
			entries: []*list.Entry{file},
			members: []list.Member{{Codec: "xz", Entries: 1}, {Codec: "none"}},
			want:    "#: member xz\n#: size 5\nfile /f x 0600 0 0\n#: member none\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if err := list.Write(&b, test.entries, test.members); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, b.String()); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			full := errors.New("no space left")
			if err := list.Write(failingWriter{full}, test.entries, test.members); test.want != "" && err != full {
				t.Errorf("a writer that fails: %v, want %v", err, full)
			}
		})
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
