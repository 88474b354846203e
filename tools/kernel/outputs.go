package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
)

// output is a file of the build folder that is a result, and the name it gets; none if that
// is empty.
type output struct{ name, from string }

// copyOutputs copies results; after an error there are none.
func copyOutputs(build *kbuild.Build, outputs []output) error {
	for _, o := range outputs {
		if o.name == "" {
			continue
		}
		if err := build.CopyTo(o.name, o.from); err != nil {
			removeOutputs(outputs)
			return err
		}
	}
	return nil
}

func removeOutputs(outputs []output) {
	for _, o := range outputs {
		if o.name != "" {
			os.Remove(o.name)
		}
	}
}

// makeEmpty makes a folder for results. One that is there must be empty.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s: not empty: give a new folder, or an empty one", dir)
	}
	return err
}

// empty removes all that is in a folder.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}
