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

// neverMatch is a pattern that nothing matches.
var neverMatch = regexp.MustCompile(`[^\x00-\x{10FFFF}]`)

// Command returns QEMU's command line for c, for a shell. The temporary files
// that are in it are left for whoever runs it.
func Command(c *config.Config, s Session) (string, error) {
	b := &boot{config: c, session: s}
	argv, cleanup, err := b.command()
	if err != nil {
		cleanup()
		return "", err
	}
	return shellQuote(argv), nil
}

// command returns QEMU's command line, and what removes the temporary files in
// it: also with an error.
func (b *boot) command() (argv []string, cleanup func(), err error) {
	var temporary []string
	cleanup = func() {
		for _, name := range temporary {
			os.RemoveAll(name)
		}
	}
	c := b.config
	guest := machine.Guest{
		Append:      c.Append,
		Machine:     c.Machine,
		MemoryMiB:   c.MemoryMiB,
		CPUs:        c.CPUs,
		Network:     c.Network == config.NetworkUser,
		GDB:         b.session.GDB,
		Interactive: c.Interactive,
	}
	if len(c.Cmdline) > 0 {
		guest.Cmdline = c.Cmdline
	}
	if c.Interactive {
		guest.Environment = b.terminalWords()
	}
	if guest.KVM, err = b.chooseAccelerator(); err != nil {
		return nil, cleanup, err
	}
	emulator := c.QEMU
	if strings.Contains(emulator, "/") {
		if emulator, err = b.locate(emulator); err != nil {
			return nil, cleanup, err
		}
	}
	if guest.Kernel, err = b.locate(c.Kernel); err != nil {
		return nil, cleanup, err
	}
	if c.Firmware != "" {
		if guest.Firmware, err = b.locate(c.Firmware); err != nil {
			return nil, cleanup, err
		}
	}
	if guest.Disks, err = b.locateAll(c.Disks); err != nil {
		return nil, cleanup, err
	}
	archives, err := b.locateAll(c.Initramfs)
	if err != nil {
		return nil, cleanup, err
	}
	switch len(archives) {
	case 0:
	case 1:
		guest.Initramfs = archives[0]
	default:
		if guest.Initramfs, err = joinInitramfs(b.session.TempDir, archives); err != nil {
			return nil, cleanup, err
		}
		temporary = append(temporary, guest.Initramfs)
	}
	if len(c.Files) > 0 {
		files, err := b.locateAll(c.Files)
		if err != nil {
			return nil, cleanup, err
		}
		if guest.Files, err = copyFiles(b.session.TempDir, files); err != nil {
			return nil, cleanup, err
		}
		temporary = append(temporary, guest.Files)
	}
	args, err := machine.Arguments(c.Arch, guest)
	return append([]string{emulator}, args...), cleanup, err
}

// chooseAccelerator reports whether KVM runs the guest, and notes why.
func (b *boot) chooseAccelerator() (kvm bool, err error) {
	b.accelerator = "tcg"
	if b.config.KVM == config.KVMOff {
		b.why = `emulated, as kvm = "off" says`
		return false, nil
	}
	switch err := b.session.ProbeKVM(machine.GOARCH(b.config.Arch)); {
	case err == nil:
		b.accelerator, b.why = "kvm", "run by KVM"
		return true, nil
	case b.config.KVM == config.KVMOn:
		b.accelerator = ""
		return false, fmt.Errorf(`kvm = "on", but KVM cannot run the guest: %w`, err)
	default:
		b.why = fmt.Sprintf("emulated, without KVM: %v", err)
		return false, nil
	}
}

// terminalWords tells the guest of the terminal: the kernel makes what it does
// not know of its command line the environment of the first process. A serial
// line has no size that could be asked for.
func (b *boot) terminalWords() []string {
	var words []string
	if termName.MatchString(b.session.Term) {
		words = append(words, "TERM="+b.session.Term)
	}
	if columns, rows, err := term.GetSize(int(b.session.Stdin.Fd())); err == nil && rows > 0 && columns > 0 {
		words = append(words, fmt.Sprintf("LINES=%d", rows), fmt.Sprintf("COLUMNS=%d", columns))
	}
	return words
}

var termName = regexp.MustCompile(`^[A-Za-z0-9+._-]+$`)

// locate returns the file of a runfiles path; an absolute one is itself.
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
