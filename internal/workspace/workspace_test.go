package workspace

import (
	"io"
	"os"
	"testing"
)

func TestWriteFile(t *testing.T) {
	root := t.TempDir()
	t.Setenv("BUILD_WORKSPACE_DIRECTORY", "")
	if err := WriteFile(io.Discard, "page.md", nil); err == nil {
		t.Error("no error without a workspace")
	}
	t.Setenv("BUILD_WORKSPACE_DIRECTORY", root)
	if err := WriteFile(io.Discard, "none/page.md", nil); err == nil {
		t.Error("no error for a missing directory")
	}
	other := root + "/other.md"
	if err := os.WriteFile(other, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, root+"/page.md"); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(io.Discard, "page.md", []byte("new")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"page.md": "new", "other.md": "other"} {
		if got, err := os.ReadFile(root + "/" + name); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestWriteFileKeepsOldFile(t *testing.T) {
	root := t.TempDir()
	t.Setenv("BUILD_WORKSPACE_DIRECTORY", root)
	// A directory in the file's place makes the rename fail.
	if err := os.MkdirAll(root+"/page.md/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(io.Discard, "page.md", []byte("new")); err == nil {
		t.Error("no error for a directory in the file's place")
	}
	if _, err := os.Stat(root + "/page.md.new"); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
}
