package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestJoinInitramfs(t *testing.T) {
	in, dir := t.TempDir(), t.TempDir()
	write := func(name, data string) string {
		name = filepath.Join(in, name)
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	names := []string{
		write("a", "12345"), write("b", "1234"), write("empty", ""), write("c", "1"), write("d", "123"),
	}
	joined, err := joinInitramfs(dir, names)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(joined)
	if err != nil {
		t.Fatal(err)
	}
	if want := "12345\x00\x00\x001234" + "1\x00\x00\x00123"; string(got) != want {
		t.Errorf("joined %q, want %q", got, want)
	}
}

func TestJoinInitramfsMissing(t *testing.T) {
	dir := t.TempDir()
	b := &boot{}
	_, err := b.temporary(joinInitramfs(dir, []string{filepath.Join(dir, "none")}))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want one that the file does not exist", err)
	}
	b.removeTemporary()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("files left: %v, %v", left, err)
	}
}
