// Package workspace writes source files of the workspace that "bazel run" was started
// in.
package workspace

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile writes a file of the workspace. The path is relative to the workspace's
// root. A failed write leaves the file as it was. If the file is a symbolic link, the
// link is replaced and its target stays as it is.
func WriteFile(path string, data []byte) error {
	root := os.Getenv("BUILD_WORKSPACE_DIRECTORY")
	if root == "" {
		return errors.New("BUILD_WORKSPACE_DIRECTORY is not set: start the program with bazel run")
	}
	name := filepath.Join(root, path)
	if err := os.WriteFile(name+".new", data, 0o644); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		os.Remove(name + ".new")
		return err
	}
	return nil
}
