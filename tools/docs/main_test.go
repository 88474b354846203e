package main

import (
	"os"
	"testing"
)

func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("BUILD_WORKSPACE_DIRECTORY", "")
	for name, text := range map[string]string{
		"good.md":   "# Title\n[up](#title)\n",
		"bad.md":    "[up](#nowhere)\n",
		"words.md":  "anew\n",
		"no.module": "text",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args []string
		want int
	}{
		{nil, 2},
		{[]string{"check"}, 2},
		{[]string{"update", "a"}, 2},
		{[]string{"--help"}, 0},
		{[]string{"check", "good.md"}, 0},
		{[]string{"check", "good.md", "bad.md"}, 1},
		{[]string{"check", "none.md"}, 1},
		{[]string{"prose"}, 2},
		{[]string{"prose", "good.md"}, 0},
		{[]string{"prose", "good.md", "words.md"}, 1},
		{[]string{"prose", "none.md"}, 1},
		{[]string{"reference", "out.md", "no.module"}, 1},
		{[]string{"svg", "good.md", "good.svg"}, 0},
		{[]string{"svg", "none.txt", "none.svg"}, 1},
		{[]string{"update", "good.md", "copy.md"}, 1},
	} {
		if got := run(test.args); got != test.want {
			t.Errorf("%q: exit code %d, want %d", test.args, got, test.want)
		}
	}
	if _, err := os.Stat("out.md"); err == nil {
		t.Error("a page was written despite the error")
	}
}

func TestUpdate(t *testing.T) {
	t.Chdir(t.TempDir())
	workspace := t.TempDir()
	t.Setenv("BUILD_WORKSPACE_DIRECTORY", workspace)
	if err := os.WriteFile("made.md", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run([]string{"update", "made.md", "page.md"}); got != 0 {
		t.Fatalf("exit code %d", got)
	}
	got, err := os.ReadFile(workspace + "/page.md")
	if err != nil || string(got) != "new" {
		t.Errorf("got %q, %v", got, err)
	}
}
