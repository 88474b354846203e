package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func same(path string) (string, error) { return path, nil }

func TestGolden(t *testing.T) {
	for _, test := range []struct{ name, want, got, diff string }{
		{"same", "a\nb\n", "a\nb\n", ""},
		{"changed", "a\nb\nc\n", "a\nB\nc\n", "+ B\n- b\n"},
		{"added", "a\nc\n", "a\nb\nc\n", "+ b\n"},
		{"gone", "a\nb\nc\n", "a\nc\n", "- b\n"},
		{"gone at the end", "a\nb\n", "a\n", "- b\n"},
		{"moved", "a\nb\nc\n", "c\na\nb\n", "- a\n- b\n+ a\n+ b\n"},
		{"twice", "a\n", "a\na\n", "+ a\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			golden := &goldenTest{
				Want: write(t, dir+"/want", test.want), Got: write(t, dir+"/got", test.got),
				Source: "image.golden", UpdateLabel: "//:update",
			}
			var out strings.Builder
			ok, err := golden.run(&out, same)
			if err != nil || ok != (test.diff == "") {
				t.Fatalf("got %v, %v", ok, err)
			}
			if !ok && !strings.Contains(out.String(), "only in the image):\n"+test.diff+"\n") {
				t.Errorf("got\n%s\nwant in it\n%s", out.String(), test.diff)
			}
			if !ok && !strings.Contains(out.String(), "bazel run //:update") {
				t.Errorf("does not say how to update:\n%s", out.String())
			}
		})
	}
}

func TestGoldenUpdate(t *testing.T) {
	dir := t.TempDir()
	golden := &goldenTest{Got: write(t, dir+"/got", "a\n"), Source: "sub/image.golden", Update: true}
	t.Setenv("BUILD_WORKSPACE_DIRECTORY", "")
	if _, err := golden.run(&strings.Builder{}, same); err == nil || !strings.Contains(err.Error(), "bazel run") {
		t.Errorf("without a workspace: got %v", err)
	}
	t.Setenv("BUILD_WORKSPACE_DIRECTORY", dir)
	if _, err := golden.run(&strings.Builder{}, same); err == nil {
		t.Error("a directory that does not exist is not an error")
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if ok, err := golden.run(&strings.Builder{}, same); !ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
	if text, err := os.ReadFile(dir + "/sub/image.golden"); string(text) != "a\n" {
		t.Errorf("wrote %q, %v", text, err)
	}
}
