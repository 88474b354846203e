// Package config reads the description of a boot that the rules write beside
// the executable.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/tools/boot/machine"
)

// Config is one boot. Paths are runfiles (rlocation) paths, or absolute.
type Config struct {
	// Label is the Bazel target, for messages.
	Label string `json:"label"`

	// Arch is the guest's architecture: a row of the machine table.
	Arch string `json:"arch"`

	// QEMU is the system emulator for Arch: a path, or a name without a slash
	// to be found on PATH.
	QEMU string `json:"qemu"`

	// QEMUVersion is what QEMU said of itself when the target was built. Nothing
	// reads it here: a boot with another version is another test to Bazel.
	QEMUVersion string `json:"qemu_version"`

	// Kernel is the image QEMU loads with -kernel.
	Kernel string `json:"kernel"`

	// Initramfs are the archives the kernel unpacks, in this order. Empty when
	// the only one is linked into the kernel.
	Initramfs []string `json:"initramfs"`

	// Append are words added at the end of the kernel's command line.
	Append []string `json:"append"`

	// MemoryMiB is the guest's memory, in MiB.
	MemoryMiB int `json:"memory_mib"`

	// CPUs is the number of the guest's processors.
	CPUs int `json:"cpus"`

	// Expect are the patterns the console must show, in this order. A line of
	// the console answers at most one of them.
	Expect []*regexp.Regexp `json:"expect"`

	// Forbid are the patterns that fail the boot as soon as a line shows one.
	Forbid []*regexp.Regexp `json:"forbid"`

	// TimeLimitSeconds is how long the boot may take, in seconds. Zero leaves
	// it to the test's own timeout.
	TimeLimitSeconds int `json:"time_limit_s"`

	// Interactive puts the console on the terminal.
	Interactive bool `json:"interactive"`
}

// Read reads and checks the configuration in the named file.
func Read(name string) (*Config, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	c, err := parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func parse(r io.Reader) (*Config, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var c Config
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more after the configuration's closing brace")
	}
	return &c, c.check()
}

func (c *Config) check() error {
	switch {
	case c.Label == "":
		return errors.New("label: missing")
	case !slices.Contains(machine.Architectures(), c.Arch):
		return fmt.Errorf("arch: %q is none of %s", c.Arch, strings.Join(machine.Architectures(), ", "))
	case c.QEMU == "":
		return errors.New("qemu: missing")
	case c.Kernel == "":
		return errors.New("kernel: missing")
	case slices.Contains(c.Initramfs, ""):
		return errors.New("initramfs: an empty path")
	case c.MemoryMiB <= 0:
		return fmt.Errorf("memory_mib: %d is not a positive number", c.MemoryMiB)
	case c.CPUs <= 0:
		return fmt.Errorf("cpus: %d is not a positive number", c.CPUs)
	case slices.Contains(c.Expect, nil):
		return errors.New("expect: null is not a pattern")
	case slices.Contains(c.Forbid, nil):
		return errors.New("forbid: null is not a pattern")
	case c.TimeLimitSeconds < 0:
		return fmt.Errorf("time_limit_s: %d is negative", c.TimeLimitSeconds)
	}
	return nil
}

// TimeLimit returns how long the boot may take; zero is for ever. testTimeout
// is the value of TEST_TIMEOUT, whole seconds, empty outside of a test. A boot
// with no limit of its own gets 90% of it: what is left is for the report,
// which would be lost if the test were killed.
func (c *Config) TimeLimit(testTimeout string) (time.Duration, error) {
	if c.TimeLimitSeconds > 0 {
		return time.Duration(c.TimeLimitSeconds) * time.Second, nil
	}
	if testTimeout == "" {
		return 0, nil
	}
	seconds, err := strconv.Atoi(testTimeout)
	if err != nil || seconds <= 0 {
		return 0, fmt.Errorf("TEST_TIMEOUT: %q is not a positive number of seconds", testTimeout)
	}
	return time.Duration(seconds) * time.Second * 9 / 10, nil
}
