package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// copyFiles copies files and folders to a new folder in dir, each under the
// last part of its name, and returns that folder's name. They are copied
// because Bazel's are links that lead out of it, and the guest would follow
// them on its own side.
func copyFiles(dir string, names []string) (copied string, err error) {
	folder, err := os.MkdirTemp(dir, "files-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(folder)
		}
	}()
	for _, name := range names {
		to := filepath.Join(folder, filepath.Base(name))
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("files: two are called %s", filepath.Base(name))
		}
		if err := copyTree(to, name); err != nil {
			return "", fmt.Errorf("files: %w", err)
		}
	}
	return folder, nil
}

// copyTree copies a file or a folder; of a link, what it leads to.
func copyTree(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return copyFile(to, from, info.Mode().Perm())
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		if err := copyTree(filepath.Join(to, e.Name()), filepath.Join(from, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string, mode os.FileMode) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	_, err = appendFile(out, from)
	return errors.Join(err, out.Close())
}
