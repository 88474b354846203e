package switchroot

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEmpty(t *testing.T) {
	folder := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	for _, name := range []string{filepath.Join(folder, "a/b/c"), filepath.Join(folder, "d")} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{outside, filepath.Join(folder, "a/b/file"), filepath.Join(folder, " \n")} {
		if err := os.WriteFile(name, nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link", "d/link"} {
		if err := os.Symlink(filepath.Dir(outside), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "d/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := empty(root); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{folder}, tree(t, folder)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

// Of another file system nothing is deleted.
func TestEmptyOfAnotherDevice(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := tree(t, folder)
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var st syscall.Stat_t
	if err := syscall.Stat(folder, &st); err != nil {
		t.Fatal(err)
	}
	if err := emptyOf(root, uint64(st.Dev)+1); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, tree(t, folder)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
}
