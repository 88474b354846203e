package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/term"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/machine"
)

// Command returns QEMU's command line for c, quoted for a shell. The caller owns the
// temporary files that it names.
func Command(c *config.Config, s Session) (string, error) {
	b := &boot{config: c, session: s}
	argv, cleanup, err := b.command()
	if err != nil {
		cleanup()
		return "", err
	}
	return shellQuote(argv), nil
}

// command returns QEMU's command line. Even after an error, call cleanup to remove the
// temporary files.
func (b *boot) command() (argv []string, cleanup func(), err error) {
	c := b.config
	guest := machine.Guest{
		Append:      c.KernelArgs,
		Machine:     c.Machine,
		MemoryMiB:   c.MemoryMiB,
		CPUs:        c.CPUs,
		Network:     c.Network == config.NetworkUser,
		GDB:         b.session.GDB,
		Interactive: c.Interactive,
	}
	cleanup = func() {
		if len(c.Initramfs) > 1 && guest.Initramfs != "" {
			os.Remove(guest.Initramfs)
		}
		if guest.Files != "" {
			os.RemoveAll(guest.Files)
		}
	}
	if len(c.KernelCmdline) > 0 {
		guest.Cmdline = c.KernelCmdline
	}
	if c.Interactive {
		guest.Environment = b.terminalArgs()
	}
	if guest.KVM, err = b.chooseAccelerator(); err != nil {
		return nil, cleanup, err
	}
	emulator, err := b.locateInputs(&guest)
	if err != nil {
		return nil, cleanup, err
	}
	args, err := machine.Arguments(c.Arch, guest)
	return append([]string{emulator}, args...), cleanup, err
}

// locateInputs sets the paths of guest's files, for which it may write temporary files, and
// returns the path of QEMU.
func (b *boot) locateInputs(guest *machine.Guest) (emulator string, err error) {
	c := b.config
	emulator = c.QEMU
	if strings.Contains(emulator, "/") {
		if emulator, err = b.locate(emulator); err != nil {
			return "", err
		}
	}
	if guest.Kernel, err = b.locate(c.Kernel); err != nil {
		return "", err
	}
	if c.Firmware != "" {
		if guest.Firmware, err = b.locate(c.Firmware); err != nil {
			return "", err
		}
	}
	if guest.Disks, err = b.locateAll(c.Disks); err != nil {
		return "", err
	}
	archives, err := b.locateAll(c.Initramfs)
	if err != nil {
		return "", err
	}
	switch len(archives) {
	case 0:
	case 1:
		guest.Initramfs = archives[0]
	default:
		if guest.Initramfs, err = joinInitramfs(b.session.TempDir, archives); err != nil {
			return "", err
		}
	}
	if len(c.Files) > 0 {
		files, err := b.locateAll(c.Files)
		if err != nil {
			return "", err
		}
		if guest.Files, err = copyFiles(b.session.TempDir, files); err != nil {
			return "", err
		}
	}
	return emulator, nil
}

// chooseAccelerator reports whether KVM runs the guest, and records why.
func (b *boot) chooseAccelerator() (kvm bool, err error) {
	b.accelerator = "tcg"
	if b.config.KVM == config.KVMOff {
		b.accelReason = "emulated: KVM is turned off"
		return false, nil
	}
	switch err := b.session.ProbeKVM(machine.GOARCH(b.config.Arch)); {
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

// locate returns the file of a runfiles path. It returns an absolute path unchanged.
func (b *boot) locate(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	return b.session.Rlocation(path)
}

func (b *boot) locateAll(paths []string) ([]string, error) {
	files := make([]string, len(paths))
	for i, path := range paths {
		var err error
		if files[i], err = b.locate(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}
