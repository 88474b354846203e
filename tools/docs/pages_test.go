package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestCheckPages(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct{ name, page, want string }{
		{"the same", "```starlark x/BUILD.bazel\nb(\n    1,\n)\n```\n", ""},
		{"another", "```starlark x/BUILD.bazel\nb(\n    2,\n)\n```\n", "page.md:1"},
		{"in the middle of a line", "```starlark x/BUILD.bazel\n  1,\n)\n```\n", "page.md:1"},
		{"no file", "text\n\n```starlark\nb(1)\n```\n", "page.md:3"},
		{"not there", "```go x/none.go\n```\n", "page.md:1"},
		{"no language", "```\nanything\n```\n", ""},
		{"no end", "```\nanything\n", "page.md:1"},
		{"links", "# A b-c, (d)\n[a](#a-b-c-d) [b](other.md) [c](other.md#there) [d](../x.md) [e](https://x.y/z.md)\n", ""},
		{"no such heading", "[a](#nowhere)\n", "page.md:1: #nowhere"},
		{"no such page", "[a](none.md) [b](other.md#here)\n", "page.md:1: none.md\npage.md:1: other.md#here"},
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
			want := []string{}
			if test.want != "" {
				want = strings.Split(test.want, "\n")
				messages[test.name] = strings.Join(got, "\n")
			}
			if !slices.EqualFunc(got, want, func(got, want string) bool { return strings.HasPrefix(got, want+": ") }) {
				t.Errorf("got %q, want findings at %q", got, want)
			}
		})
	}
	golden.Messages(t, "TestCheckPages.txt", messages)
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
