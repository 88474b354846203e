package write

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if err := Files(context.Background(), []Content{{one, []byte("1")}, {two, []byte("2")}}); err != nil {
		t.Fatal(err)
	}
	if err := Files(context.Background(), []Content{{one, []byte("3")}, {filepath.Join(dir, "none", "two"), nil}}); err == nil {
		t.Error("no error about a directory that does not exist")
	}
	for name, want := range map[string]string{one: "1", two: "2"} {
		if content, err := os.ReadFile(name); err != nil || string(content) != want {
			t.Errorf("%s: %q, %v: want %q", name, content, err, want)
		}
	}
}
