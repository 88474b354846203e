package runner

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/kernelimage"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/machine"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Command returns QEMU's command line for c, quoted for a shell, and before it the one that
// starts a TPM. The caller owns the temporary files that they name.
func Command(c *config.Config, s Session) (string, error) {
	b := &boot{config: c, session: s}
	argv, err := b.command((*boot).tpmSocket)
	if err != nil {
		b.removeTemporary()
		return "", err
	}
	if b.tpmDir == "" {
		return shellQuote(argv), nil
	}
	return shellQuote(append(b.swtpm(b.swtpmProgram, b.tpmSocket()), "--daemon")) + "\n" + shellQuote(argv), nil
}

// command returns QEMU's command line. It may write temporary files, even if it fails. If there
// is a TPM, tpmSocket returns where QEMU finds it.
func (b *boot) command(tpmSocket func(*boot) string) (argv []string, err error) {
	if b.arch, err = arch.Find(b.config.Arch); err != nil {
		return nil, err
	}
	g := machine.Guest{Config: *b.config, GDB: b.session.GDB}
	if g.Interactive {
		g.Environment = b.terminalArgs()
	}
	if g.Accelerated, err = b.chooseAccelerator(); err != nil {
		return nil, err
	}
	if err := b.locateInputs(&g.Config); err != nil {
		return nil, err
	}
	if g.TPM {
		if err := b.makeTPM(); err != nil {
			return nil, err
		}
		b.swtpmProgram, g.TPMSocket = g.SWTPM, tpmSocket(b)
	}
	if err := b.checkFit(g); err != nil {
		return nil, err
	}
	if g.UBootKey != "" {
		if g.UBootDeviceTree, err = b.requireKey(g); err != nil {
			return nil, fmt.Errorf("uboot_key: %w", err)
		}
	}
	return append([]string{g.QEMU}, machine.Arguments(b.arch, g)...), nil
}

// checkFit returns an error if the machine cannot boot the kernel, or if something is too large
// for one of them. The kernel would drop it, or nothing would happen.
func (b *boot) checkFit(g machine.Guest) error {
	if g.Firmware != "" {
		return b.checkPayload(g)
	}
	kernel, err := kernelimage.Read(g.Kernel)
	if err != nil {
		return fmt.Errorf("kernel: %w", err)
	}
	if err := kernel.Check(b.arch, g.BIOS != ""); err != nil {
		return fmt.Errorf("kernel: %s: %w", b.config.Kernel, err)
	}

	most := cmp.Or(kernel.MaxCommandLine, b.arch.MaxCommandLine)
	if size := len(machine.CommandLine(b.arch, g)); size > most {
		attribute := "kernel_args"
		if len(g.KernelCmdline) > 0 {
			attribute = "kernel_cmdline"
		}
		return fmt.Errorf("%s: the kernel's command line has %d bytes, and the kernel takes at most %d: shorten it, or pass a part of it in a bootconfig", attribute, size, most)
	}

	var archives int64
	for _, name := range g.Initramfs {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("initramfs: %w", err)
		}
		archives += info.Size()
	}
	if least, have := kernel.Memory+copies*archives, int64(g.MemoryMiB)<<20; least > have {
		return fmt.Errorf("memory: the machine has %d MiB, and needs more than %d MiB: %d MiB for the kernel, and twice the %d MiB of the initramfs: set memory",
			g.MemoryMiB, (least+mib-1)/mib, (kernel.Memory+mib-1)/mib, (archives+mib-1)/mib)
	}
	return nil
}

const (
	// copies is how many times a file of the initramfs is in memory: in the image, and
	// unpacked.
	copies = 2
	mib    = 1 << 20
)

// checkPayload returns an error if the firmware cannot start the payload, or if that is too
// large for the machine. The firmware would say less.
func (b *boot) checkPayload(g machine.Guest) error {
	payload, err := kernelimage.Read(g.Payload)
	if err == nil {
		if err = payload.Check(b.arch, true); err == nil && g.Firmware == config.FirmwareUEFI {
			err = payload.CheckUEFI()
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", b.config.Payload, err)
		}
	}
	info, statErr := os.Stat(g.Payload)
	if err = cmp.Or(err, statErr); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	if least, have := copies*info.Size(), int64(g.MemoryMiB)<<20; least > have {
		return fmt.Errorf("memory: the machine has %d MiB, and needs more than %d MiB, twice the size of the payload: set memory", g.MemoryMiB, (least+mib-1)/mib)
	}
	return nil
}

// locateInputs replaces the paths in c by those of files. It may write temporary files.
func (b *boot) locateInputs(c *config.Config) (err error) {
	c.Disks, c.Initramfs, c.Files = slices.Clone(c.Disks), slices.Clone(c.Initramfs), slices.Clone(c.Files)
	paths := []*string{&c.Kernel, &c.BIOS, &c.Payload, &c.PayloadDisk, &c.UEFICode, &c.UEFIVariables, &c.UBoot, &c.UBootKey}
	for _, program := range []*string{&c.SWTPM, &c.QEMU} {
		if strings.Contains(*program, "/") {
			paths = slices.Insert(paths, 0, program)
		}
	}
	for _, list := range [][]string{c.Disks, c.Initramfs, c.Files} {
		for i := range list {
			paths = append(paths, &list[i])
		}
	}
	for _, path := range paths {
		if *path == "" || filepath.IsAbs(*path) {
			continue
		}
		if *path, err = b.session.Rlocation(*path); err != nil {
			return err
		}
	}
	if c.Firmware == config.FirmwareUEFI {
		for _, flash := range []struct {
			field string
			name  *string
		}{{"uefi_code", &c.UEFICode}, {"uefi_variables", &c.UEFIVariables}} {
			if *flash.name, err = b.fitFlash(flash.field, *flash.name); err != nil {
				return err
			}
		}
	}
	if len(c.Initramfs) > 1 {
		if c.Initramfs, err = b.temporary(joinInitramfs(b.session.TempDir, c.Initramfs)); err != nil {
			return err
		}
	}
	if len(c.Files) > 0 {
		c.Files, err = b.temporary(copyFiles(b.session.TempDir, c.Files))
	}
	return err
}

// temporary notes that a file or a directory must be removed, and returns it as a list.
func (b *boot) temporary(name string, err error) ([]string, error) {
	b.temporaryFiles = append(b.temporaryFiles, name)
	return []string{name}, err
}

func (b *boot) removeTemporary() {
	for _, name := range b.temporaryFiles {
		os.RemoveAll(name)
	}
}

// chooseAccelerator reports whether KVM runs the guest, and records why.
func (b *boot) chooseAccelerator() (kvm bool, err error) {
	b.accelerator = "tcg"
	if b.config.KVM == config.KVMOff {
		b.accelReason = "emulated: KVM is turned off"
		return false, nil
	}
	switch err := b.session.ProbeKVM(b.arch.GOARCH); {
	case err == nil:
		b.accelerator, b.accelReason = "kvm", "run by KVM"
		return true, nil
	case b.config.KVM == config.KVMOn:
		b.accelerator = ""
		return false, fmt.Errorf("KVM is required, but cannot run the guest: %w", err)
	default:
		b.accelReason = fmt.Sprintf("emulated: KVM cannot run the guest: %v", err)
		return false, nil
	}
}

// terminalArgs returns kernel arguments that describe the terminal. The kernel passes
// arguments that it does not know to the first process, as environment variables. A serial
// line has no size that the guest could ask for.
func (b *boot) terminalArgs() []string {
	var args []string
	if termName.MatchString(b.session.Term) {
		args = append(args, "TERM="+b.session.Term)
	}
	if columns, rows, err := term.GetSize(int(b.session.Stdin.Fd())); err == nil && rows > 0 && columns > 0 {
		args = append(args, fmt.Sprintf("LINES=%d", rows), fmt.Sprintf("COLUMNS=%d", columns))
	}
	return args
}

var termName = regexp.MustCompile(`^[A-Za-z0-9+._-]+$`)
