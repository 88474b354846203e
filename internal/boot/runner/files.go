package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// copyFiles copies files and directories to a new directory in dir, each under its base
// name, and returns the new directory's name. They are copied because Bazel's are symbolic
// links that lead out of the directory, and the guest would resolve them in its own file
// system.
func copyFiles(dir string, names []string) (_ string, err error) {
	copies, err := os.MkdirTemp(dir, "files-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(copies)
		}
	}()
	for _, name := range names {
		to := filepath.Join(copies, filepath.Base(name))
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("files: two files have the name %s", filepath.Base(name))
		}
		if err := copyTree(to, name); err != nil {
			return "", fmt.Errorf("files: %w", err)
		}
	}
	return copies, nil
}

// copyTree copies a file or a directory. It copies what symbolic links lead to.
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
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
