// Package config reads the description of a boot, which the rules write next to the
// executable.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Config describes a boot. Paths are runfiles (rlocation) paths, or absolute.
type Config struct {
	Label string `json:"label"` // the Bazel target, for messages
	Arch  string `json:"arch"`  // the guest's architecture: a row of package arch

	// QEMU is the system emulator for Arch: a path, or a name without a slash to look up
	// in PATH.
	QEMU string `json:"qemu"`

	// QEMUVersion is the version of QEMU when the target was built. Nothing reads it: it
	// makes Bazel run the test again with another version.
	QEMUVersion string `json:"qemu_version"`

	Kernel string `json:"kernel"` // the image for QEMU's -kernel; empty if firmware loads a payload

	// Initramfs are the archives that the kernel unpacks, in this order. Empty if the
	// only one is linked into the kernel.
	Initramfs []string `json:"initramfs"`

	BIOS    string `json:"bios"`    // for QEMU's -bios: runs before the kernel; empty for QEMU's own
	Vmlinux string `json:"vmlinux"` // the kernel's ELF file with symbols, for a debugger; empty for none

	// Firmware loads a payload, which has the kernel, its command line and the initramfs, in
	// place of Kernel, Initramfs, KernelCmdline, KernelArgs and BIOS.
	Firmware Firmware `json:"firmware"`
	Payload  string   `json:"payload"` // the file that Firmware loads, for checks

	// PayloadDisk is the raw image of the first disk, from which Firmware loads Payload. It is
	// a virtio disk. What the guest writes to it is lost when it ends.
	PayloadDisk string `json:"payload_disk"`

	UEFICode      string `json:"uefi_code"`      // the flash image of the UEFI firmware
	UEFIVariables string `json:"uefi_variables"` // the flash image of its variables; what the guest writes is lost
	SecureBoot    bool   `json:"secure_boot"`    // protects the variables from the guest; they say whether Secure Boot is on

	UBoot string `json:"uboot"` // u-boot.bin

	// UBootKey is the certificate of the key that must have signed Payload, which the machine's
	// device tree then requires; empty if none must have.
	UBootKey string `json:"uboot_key"`

	// UBootKeyName is the name of the key in signatures.
	UBootKeyName string `json:"uboot_key_name"`

	// UBootDeviceTree is the machine's device tree with UBootKey. The runner makes it.
	UBootDeviceTree string `json:"-"`

	TPM bool `json:"tpm"` // connects a TPM 2.0 that was never used

	// Measurements is the file that packer measure has written of Payload. The guest has to print
	// the PCRs that it predicts, as "pcr NUMBER: SHA-256".
	Measurements string `json:"measurements"`

	// SWTPM is the program that emulates the TPM: a path, or a name without a slash to look
	// up in PATH.
	SWTPM string `json:"swtpm"`

	// SWTPMVersion is the version of SWTPM when the target was built, as QEMUVersion.
	SWTPMVersion string `json:"swtpm_version"`

	// KernelCmdline is the whole command line of the kernel, one argument each. Empty
	// for the arguments that the machine needs and KernelArgs.
	KernelCmdline []string `json:"kernel_cmdline"`
	KernelArgs    []string `json:"kernel_args"` // to add to the kernel's command line

	// Disks are raw images that the guest has as disks, after PayloadDisk. What it writes to them is lost when
	// it ends.
	Disks   []string `json:"disks"`
	DiskBus DiskBus  `json:"disk_bus"` // what the disks are connected to

	Files     []string `json:"files"`      // files and directories that the guest may read, each by its base name
	Machine   string   `json:"machine"`    // QEMU's name of the board, with its properties; empty for the architecture's own
	KVM       KVM      `json:"kvm"`        // whether KVM runs the guest
	Network   Network  `json:"network"`    // what the guest is connected to
	MemoryMiB int      `json:"memory_mib"` // the guest's memory, in MiB
	CPUs      int      `json:"cpus"`       // the number of the guest's CPUs

	console.Criteria

	// TimeLimitSeconds is the time after which the boot fails, in seconds. If it is
	// zero, the limit follows from the test's timeout.
	TimeLimitSeconds int `json:"time_limit_s"`

	Interactive bool `json:"interactive"` // connects the console to the terminal
}

// Firmware is what loads a payload. The empty text means that there is none: QEMU starts the
// kernel.
type Firmware string

const (
	FirmwareUEFI  Firmware = "uefi"   // edk2, which starts an EFI executable
	FirmwareUBoot Firmware = "u-boot" // U-Boot, which starts a FIT image
)

// KVM says whether KVM runs the guest. The empty text means KVMAuto.
type KVM string

const (
	KVMAuto KVM = "auto" // if it can
	KVMOff  KVM = "off"  // never
	KVMOn   KVM = "on"   // always: otherwise the boot fails
)

// DiskBus is what the disks of a guest are connected to. The empty text means DiskBusVirtio.
type DiskBus string

const (
	DiskBusVirtio DiskBus = "virtio" // virtio disks: vda (with a payload, vdb) and so on in the order of Disks
	DiskBusNVMe   DiskBus = "nvme"   // each disk is the only one of an NVMe controller
)

// Network is what a guest is connected to. The empty text means NetworkNone.
type Network string

const (
	NetworkNone Network = "none" // no network card
	NetworkUser Network = "user" // QEMU's user network, through a virtio card
)

// Read reads and checks the configuration in the named file.
func Read(name string) (*Config, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
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
		return nil, errors.New("unexpected text after the configuration's closing brace")
	}
	return &c, c.Check()
}

// Check returns an error if c is not valid. Errors begin with the name of the JSON field.
func (c *Config) Check() error {
	switch {
	case c.Label == "":
		return errors.New("label: missing")
	case !slices.Contains(arch.Names(), c.Arch):
		return fmt.Errorf("arch: unknown architecture %q: want one of %s", c.Arch, strings.Join(arch.Names(), ", "))
	case c.QEMU == "":
		return errors.New("qemu: missing")
	case slices.Contains(c.Initramfs, ""):
		return errors.New("initramfs: empty path")
	case slices.Contains(c.Disks, ""):
		return errors.New("disks: empty path")
	case !slices.Contains([]DiskBus{"", DiskBusVirtio, DiskBusNVMe}, c.DiskBus):
		return fmt.Errorf("disk_bus: %q: want virtio or nvme", c.DiskBus)
	case slices.Contains(c.Files, ""):
		return errors.New("files: empty path")
	case len(c.KernelCmdline) > 0 && len(c.KernelArgs) > 0:
		return errors.New("kernel_args: not allowed with kernel_cmdline, which is the whole command line")
	case !slices.Contains([]KVM{"", KVMAuto, KVMOff, KVMOn}, c.KVM):
		return fmt.Errorf("kvm: %q: want auto, off or on", c.KVM)
	case !slices.Contains([]Network{"", NetworkNone, NetworkUser}, c.Network):
		return fmt.Errorf("network: %q: want none or user", c.Network)
	case c.MemoryMiB <= 0:
		return fmt.Errorf("memory_mib: %d is not a positive number", c.MemoryMiB)
	case c.CPUs <= 0:
		return fmt.Errorf("cpus: %d is not a positive number", c.CPUs)
	case slices.Contains(c.Expect, nil):
		return errors.New("expect: null is not a pattern")
	case slices.Contains(c.ExpectUnordered, nil):
		return errors.New("expect_unordered: null is not a pattern")
	case slices.ContainsFunc(c.Input, func(p console.Prompt) bool { return p.Expect == nil }):
		return errors.New("input: a prompt without a pattern")
	case len(c.Input) > 0 && c.Interactive:
		return errors.New("input: not allowed if the console is the terminal: type there")
	case c.ExitCodePattern != nil && c.ExitCodePattern.NumSubexp() != 1:
		return fmt.Errorf("exit_code_pattern: \"%s\" has %d groups: want one, for the number", c.ExitCodePattern, c.ExitCodePattern.NumSubexp())
	case slices.Contains(c.Forbid, nil):
		return errors.New("forbid: null is not a pattern")
	case c.TimeLimitSeconds < 0:
		return fmt.Errorf("time_limit_s: %d is negative", c.TimeLimitSeconds)
	}
	if err := c.checkFirmware(); err != nil {
		return err
	}
	for _, list := range []struct {
		field   string
		classes []failure.Class
		known   []failure.Class
	}{
		{"allow_failures", c.AllowFailures, failure.WithReport(failure.FailsBoot)},
		{"fail_on", c.FailOn, failure.WithReport(failure.FailsIfAsked)},
	} {
		for _, class := range list.classes {
			if !slices.Contains(list.known, class) {
				return fmt.Errorf("%s: unknown failure %q: want one of %q", list.field, class, list.known)
			}
		}
	}
	return nil
}

// checkFirmware returns an error if what boots, and what starts it, do not fit together.
func (c *Config) checkFirmware() error {
	const uefi, uboot, none = FirmwareUEFI, FirmwareUBoot, Firmware("")
	if !slices.Contains([]Firmware{none, uefi, uboot}, c.Firmware) {
		return fmt.Errorf("firmware: %q: want uefi or u-boot", c.Firmware)
	}
	for _, row := range []struct {
		field    string
		set      bool
		with     []Firmware // that can use it
		required bool       // by all of these
	}{
		{"bios", c.BIOS != "", []Firmware{none}, false},
		{"kernel", c.Kernel != "", []Firmware{none}, true},
		{"initramfs", len(c.Initramfs) > 0, []Firmware{none}, false},
		{"kernel_args", len(c.KernelArgs) > 0, []Firmware{none}, false},
		{"kernel_cmdline", len(c.KernelCmdline) > 0, []Firmware{none}, false},
		{"payload", c.Payload != "", []Firmware{uefi, uboot}, true},
		{"payload_disk", c.PayloadDisk != "", []Firmware{uefi, uboot}, true},
		{"uefi_code", c.UEFICode != "", []Firmware{uefi}, true},
		{"uefi_variables", c.UEFIVariables != "", []Firmware{uefi}, true},
		{"secure_boot", c.SecureBoot, []Firmware{uefi}, false},
		{"uboot", c.UBoot != "", []Firmware{uboot}, true},
		{"uboot_key", c.UBootKey != "", []Firmware{uboot}, false},
		{"uboot_key_name", c.UBootKeyName != "", []Firmware{uboot}, false},
		{"expect_refusal", c.ExpectRefusal, []Firmware{uefi, uboot}, false},
	} {
		usable := slices.Contains(row.with, c.Firmware)
		switch {
		case usable && row.required && !row.set:
			return fmt.Errorf("%s: missing", row.field)
		case !usable && row.set && c.Firmware == none:
			return fmt.Errorf("%s: not allowed without firmware: want firmware %s", row.field, joinFirmware(row.with))
		case !usable && row.set && row.with[0] == none:
			return fmt.Errorf("%s: not allowed with firmware %s, which starts the payload", row.field, c.Firmware)
		case !usable && row.set:
			return fmt.Errorf("%s: not allowed with firmware %s: it is for firmware %s", row.field, c.Firmware, joinFirmware(row.with))
		}
	}
	switch {
	case c.ExpectRefusal && c.ExitCodePattern != nil:
		return errors.New("exit_code_pattern: not allowed with expect_refusal: the guest does not start")
	case (c.UBootKey == "") != (c.UBootKeyName == ""):
		return errors.New("uboot_key: want it and uboot_key_name")
	case c.UBootKey != "" && c.TPM:
		// QEMU adds the device of a TPM to its own device tree only: hw/arm/virt.c.
		return errors.New("tpm: not allowed with uboot_key: the device tree with the key would not have the TPM")
	case c.Measurements != "" && !c.TPM:
		return errors.New("measurements: not allowed without tpm: the guest reads them there")
	case c.TPM && c.SWTPM == "":
		return errors.New("swtpm: missing: it is the program for tpm")
	}
	return nil
}

func joinFirmware(all []Firmware) string {
	var names []string
	for _, f := range all {
		names = append(names, string(f))
	}
	return strings.Join(names, " or ")
}

// TimeLimit returns the longest time that the boot may take; zero for no limit. testTimeout
// is the value of TEST_TIMEOUT, in whole seconds, and empty outside of a test. A boot without
// a limit of its own gets 90% of it. The rest is for the report, which would be lost if Bazel
// killed the test.
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
