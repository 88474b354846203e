package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
)

// maxConfig is how many bytes a .config may have: many times what one has.
const maxConfig = 16 << 20

// readConfig reads the .config of a kernel.
func readConfig(name string) (text []byte, err error) {
	err = readFile(name, func(r io.Reader) error {
		text, err = io.ReadAll(io.LimitReader(r, maxConfig+1))
		if err == nil && len(text) > maxConfig {
			err = fmt.Errorf("not a kernel's configuration: it has more than %d MiB: name the kernel's .config", maxConfig>>20)
		}
		return err
	})
	return text, err
}

// readConfigValues reads the values in the .config of a kernel.
func readConfigValues(name string) (config.Values, error) {
	text, err := readConfig(name)
	if err != nil {
		return nil, err
	}
	return config.ParseValues(name, string(text))
}

// usedFile is a file that a command reads or writes.
type usedFile struct {
	argument string // the option or the operand that names it
	name     string // empty if there is none
}

// usedFiles returns the files that one argument names.
func usedFiles(argument string, names []string) []usedFile {
	files := make([]usedFile, len(names))
	for i, name := range names {
		files[i] = usedFile{argument, name}
	}
	return files
}

// checkOutputs returns an error if an output is an input or another output: one of the two would be
// lost. Pipes and devices may be both.
func checkOutputs(cmd *cobra.Command, outputs []usedFile, inputs ...usedFile) error {
	for i, output := range outputs {
		if output.name == "" {
			continue
		}
		at := place(output.name)
		for _, other := range append(outputs[i+1:len(outputs):len(outputs)], inputs...) {
			if other.name != "" && sameFile(output.name, at, other.name) {
				return cli.Usagef(cmd, "%s and %s are the same file, %s: name another file for %s", output.argument, other.argument, output.name, output.argument)
			}
		}
	}
	return nil
}

// sameFile reports whether two names are of one file, which may be absent. at is the place of the first.
func sameFile(name, at, other string) bool {
	info, err := os.Stat(name)
	otherInfo, otherErr := os.Stat(other)
	if err == nil && otherErr == nil {
		return info.Mode().IsRegular() && os.SameFile(info, otherInfo)
	}
	return err != nil && otherErr != nil && at == place(other)
}

// place returns the absolute path of a file, without symbolic links to its directory.
func place(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
		name = filepath.Join(dir, filepath.Base(name))
	}
	return name
}
