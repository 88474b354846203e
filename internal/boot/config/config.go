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

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/machine"
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

	// Firmware is what runs before the kernel; empty for QEMU's own.
	Firmware string `json:"firmware"`

	// Vmlinux is the kernel's ELF file with its symbols, for a debugger; empty
	// for none.
	Vmlinux string `json:"vmlinux"`

	// Cmdline are the words of the kernel's command line, instead of those
	// that the machine needs and Append. Empty for those.
	Cmdline []string `json:"cmdline"`

	// Append are words added at the end of the kernel's command line.
	Append []string `json:"append"`

	// Disks are raw images that the guest sees as virtio disks, in this order:
	// vda, vdb and so on. What it writes to them is lost when it ends.
	Disks []string `json:"disks"`

	// Files are given to the guest in a folder that it may read, each by the
	// last part of its path.
	Files []string `json:"files"`

	// Machine is QEMU's name of the board, with its properties; empty for the
	// architecture's own.
	Machine string `json:"machine"`

	// KVM says whether the host's processor runs the guest.
	KVM KVM `json:"kvm"`

	// Network is what the guest is connected to.
	Network Network `json:"network"`

	// MemoryMiB is the guest's memory, in MiB.
	MemoryMiB int `json:"memory_mib"`

	// CPUs is the number of the guest's processors.
	CPUs int `json:"cpus"`

	// Expect are the patterns the console must show, in this order. A line of
	// the console answers at most one of them.
	Expect []*regexp.Regexp `json:"expect"`

	// ExpectUnordered are patterns the console must show, in any order.
	ExpectUnordered []*regexp.Regexp `json:"expect_unordered"`

	// ExitCodePattern matches the line in which the guest reports an exit code:
	// its first group, a number, must be zero. Nil for none.
	ExitCodePattern *regexp.Regexp `json:"exit_code_pattern"`

	// Input are the prompts of the console, in this order, and what is typed
	// when each has been seen.
	Input []Prompt `json:"input"`

	// Allow are the failures in the kernel's messages that are none.
	Allow []failure.Class `json:"allow"`

	// Forbid are the patterns that fail the boot as soon as a line shows one.
	Forbid []*regexp.Regexp `json:"forbid"`

	// TimeLimitSeconds is how long the boot may take, in seconds. Zero leaves
	// it to the test's own timeout.
	TimeLimitSeconds int `json:"time_limit_s"`

	// Interactive puts the console on the terminal.
	Interactive bool `json:"interactive"`
}

// KVM says whether the host's processor runs the guest. The empty text is
// KVMAuto.
type KVM string

const (
	KVMAuto KVM = "auto" // if it can
	KVMOff  KVM = "off"  // never
	KVMOn   KVM = "on"   // or the boot fails
)

// Network is what a guest is connected to. The empty text is NetworkNone.
type Network string

const (
	NetworkNone Network = "none" // no network card
	NetworkUser Network = "user" // QEMU's own network, behind a virtio card
)

// A Prompt is a pattern and what is typed when it has been seen.
type Prompt struct {
	Expect *regexp.Regexp `json:"expect"`
	Send   string         `json:"send"`
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
	return &c, c.Check()
}

// Check returns an error that says what is wrong with c.
func (c *Config) Check() error {
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
	case slices.Contains(c.Disks, ""):
		return errors.New("disks: an empty path")
	case slices.Contains(c.Files, ""):
		return errors.New("files: an empty path")
	case len(c.Cmdline) > 0 && len(c.Append) > 0:
		return errors.New("append: not with cmdline, which is the whole command line")
	case !slices.Contains([]KVM{"", KVMAuto, KVMOff, KVMOn}, c.KVM):
		return fmt.Errorf("kvm: %q is none of auto, off, on", c.KVM)
	case !slices.Contains([]Network{"", NetworkNone, NetworkUser}, c.Network):
		return fmt.Errorf("network: %q is none of none, user", c.Network)
	case c.MemoryMiB <= 0:
		return fmt.Errorf("memory_mib: %d is not a positive number", c.MemoryMiB)
	case c.CPUs <= 0:
		return fmt.Errorf("cpus: %d is not a positive number", c.CPUs)
	case slices.Contains(c.Expect, nil):
		return errors.New("expect: null is not a pattern")
	case slices.Contains(c.ExpectUnordered, nil):
		return errors.New("expect_unordered: null is not a pattern")
	case slices.ContainsFunc(c.Input, func(p Prompt) bool { return p.Expect == nil }):
		return errors.New("input: a prompt without a pattern")
	case len(c.Input) > 0 && c.Interactive:
		return errors.New("input: a boot whose console is the terminal is typed to there")
	case c.ExitCodePattern != nil && c.ExitCodePattern.NumSubexp() != 1:
		return fmt.Errorf("exit_code_pattern: \"%s\" has %d groups: want one, the number", c.ExitCodePattern, c.ExitCodePattern.NumSubexp())
	case slices.Contains(c.Forbid, nil):
		return errors.New("forbid: null is not a pattern")
	case c.TimeLimitSeconds < 0:
		return fmt.Errorf("time_limit_s: %d is negative", c.TimeLimitSeconds)
	}
	for _, class := range c.Allow {
		if !slices.Contains(failure.Builtin(), class) {
			return fmt.Errorf("allow: %q is none of %q", class, failure.Builtin())
		}
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
