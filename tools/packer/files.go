package main

import (
	"fmt"
	"io"

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
