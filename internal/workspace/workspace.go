// Package workspace writes source files of the workspace, for targets that "bazel run" runs.
package workspace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFile writes a source file of the workspace that "bazel run" was started in, and says so. The
// path is relative to the workspace's root. A failed write leaves the file as it was. If the file is
// a symbolic link, the link is replaced and its target stays as it is.
func WriteFile(out io.Writer, path string, data []byte) error {
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
	fmt.Fprintln(out, "wrote", path)
	return nil
}
