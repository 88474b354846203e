package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// joinInitramfs writes the named files one after the other to a new file in dir, because
// QEMU's -initrd takes one. The caller removes the file, even after an error.
func joinInitramfs(dir string, names []string) (joined string, err error) {
	out, err := os.CreateTemp(dir, "initramfs-*")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	j := image.NewJoiner(out)
	for _, name := range names {
		if err := j.Align(image.Align); err != nil {
			return out.Name(), err
		}
		if err := appendFile(j, name); err != nil {
			return out.Name(), fmt.Errorf("joining the initramfs: %w", err)
		}
	}
	return out.Name(), nil
}

func appendFile(out io.Writer, name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}

// copyFiles copies files and directories to a new directory in dir, each under its base
// name. The caller removes the directory, even after an error. The files are copied because
// Bazel's are symbolic links that lead out of the directory, and the guest would resolve
// them in its own file system.
func copyFiles(dir string, names []string) (copies string, err error) {
	copies, err = os.MkdirTemp(dir, "files-*")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		to := filepath.Join(copies, filepath.Base(name))
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			return copies, fmt.Errorf("files: two files have the name %s", filepath.Base(name))
		}
		if err := copyTree(to, name); err != nil {
			return copies, fmt.Errorf("files: %w", err)
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
		out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o200)
		if err != nil {
			return err
		}
		return errors.Join(appendFile(out, from), out.Close())
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
