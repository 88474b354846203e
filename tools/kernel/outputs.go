package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
)

// output is a result: a file of the build directory, and the name it gets. It is not wanted if
// name is empty.
type output struct{ name, from string }

// addImageOptions adds the options for the results that compile and link share.
func addImageOptions(flags *pflag.FlagSet, image, vmlinux, config, systemMap *string) {
	flags.StringVar(image, "image", "", "Write the kernel image to `FILE`")
	flags.StringVar(vmlinux, "vmlinux", "", "Write the ELF image to `FILE`")
	flags.StringVar(config, "config", "", "Write the configuration to `FILE`")
	flags.StringVar(systemMap, "system-map", "", "Write the addresses of the symbols to `FILE`")
}

// copyOutputs copies the results, or none after an error.
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

// makeEmpty makes a directory for results. If it exists, it must be empty.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: choose a new or empty directory", dir)
	}
	return err
}

// empty removes everything in a directory.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}
