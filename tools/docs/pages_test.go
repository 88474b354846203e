package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckPages(t *testing.T) {
	for _, test := range []struct{ name, page, want string }{
		{"the same", "```starlark x/BUILD.bazel\nb(\n    1,\n)\n```\n", ""},
		{"another", "```starlark x/BUILD.bazel\nb(\n    2,\n)\n```\n", "page.md:1: the code block differs from x/BUILD.bazel: make them equal"},
		{"in the middle of a line", "```starlark x/BUILD.bazel\n  1,\n)\n```\n", "page.md:1: the code block differs from x/BUILD.bazel: make them equal"},
		{"no file", "text\n\n```starlark\nb(1)\n```\n", "page.md:3: the code block names no file: write ```starlark FILE"},
		{"not there", "```go x/none.go\n```\n", "page.md:1: open x/none.go: no such file or directory"},
		{"no language", "```\nanything\n```\n", ""},
		{"no end", "```\nanything\n", "page.md:1: the code block has no end"},
		{"links", "# A b-c, (d)\n[a](#a-b-c-d) [b](other.md) [c](other.md#there) [d](../x.md) [e](https://x.y/z.md)\n", ""},
		{"no such heading", "[a](#nowhere)\n", "page.md:1: #nowhere: no such heading"},
		{"no such page", "[a](none.md) [b](other.md#here)\n", "page.md:1: none.md: no such page\npage.md:1: other.md#here: no such heading"},
		{"a link in code", "`[a](none.md)`\n\n    [a](none.md)\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "page.md", test.page)
			write(t, "other.md", "## There\n")
			write(t, "x/BUILD.bazel", "a(0)\n\nb(\n    1,\n)\n")
			got, err := checkPages([]string{"page.md", "other.md"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
