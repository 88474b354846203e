// Package machine knows the virtual machine of each architecture, as QEMU's
// command line.
package machine

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Guest is what runs in a machine.
type Guest struct {
	Kernel      string   // path of the kernel image
	Initramfs   string   // path of the initramfs; empty for none
	Firmware    string   // path of what runs before the kernel; empty for QEMU's own
	Cmdline     []string // words of the kernel's command line, all of them; nil for the usual ones
	Environment []string // words among the usual ones, before Append
	Append      []string // words at the end of the usual ones
	MemoryMiB   int      // memory, in MiB
	CPUs        int      // number of processors
	Machine     string   // QEMU's board and its properties; empty for the architecture's
	KVM         bool     // the host's processor runs the guest, rather than an emulator
	Disks       []string // paths of raw images, in the order of their devices; never written
	Files       string   // path of a folder that the guest may read; empty for none
	Network     bool     // a network card on QEMU's own network
	GDB         int      // TCP port on which QEMU waits for a debugger before it starts; zero for none
	Interactive bool     // QEMU's monitor shares the terminal with the console
}

// FilesTag is the mount tag of Guest.Files.
const FilesTag = "files"

// Architectures returns the names Arguments accepts.
func Architectures() []string {
	names := make([]string, len(table))
	for i, r := range table {
		names[i] = r.arch
	}
	return names
}

// GOARCH returns Go's name of arch; empty for one that is not known.
func GOARCH(arch string) string {
	r, _ := find(arch)
	return r.goarch
}

// Firmware returns a pattern of the last lines that QEMU's own firmware for
// arch shows on the console; nil where it shows nothing.
func Firmware(arch string) *regexp.Regexp {
	r, _ := find(arch)
	return r.firmware
}

// Arguments returns QEMU's arguments, its own name not included, to boot g on
// the machine of arch with the console on standard input and output.
func Arguments(arch string, g Guest) ([]string, error) {
	r, err := find(arch)
	if err != nil {
		return nil, err
	}
	// Nothing that is not asked for: no configuration of the user's, none of
	// the devices QEMU adds by itself, no network. A guest that resets ends
	// QEMU rather than booting for ever.
	args := []string{"-no-user-config", "-nodefaults"}
	args = append(args, r.board(g)...)
	args = append(args,
		"-m", strconv.Itoa(g.MemoryMiB),
		"-smp", strconv.Itoa(g.CPUs),
	)
	args = append(args, network(g.Network)...)
	args = append(args,
		"-display", "none",
		"-no-reboot",
	)
	if g.Interactive {
		// What -nographic does: Ctrl-A x leaves QEMU, Ctrl-A c is its monitor,
		// and Ctrl-C goes to the guest.
		args = append(args, "-serial", "mon:stdio")
	} else {
		args = append(args, "-serial", "stdio", "-monitor", "none")
	}
	args = append(args, disks(g.Disks)...)
	args = append(args, files(g.Files)...)
	args = append(args, debugger(g.GDB)...)
	if g.Firmware != "" {
		args = append(args, "-bios", g.Firmware)
	}
	args = append(args, "-kernel", g.Kernel)
	if g.Initramfs != "" {
		args = append(args, "-initrd", g.Initramfs)
	}
	return append(args, "-append", strings.Join(r.words(g), " ")), nil
}

// board returns the options for the board, the processor, and what runs it.
func (r row) board(g Guest) []string {
	machine, cpu, accelerator := r.machine, r.cpu, "tcg"
	if g.KVM {
		machine, cpu, accelerator = r.machine+r.kvmMachine, "host", "kvm"
	}
	if g.Machine != "" {
		machine = g.Machine
	}
	args := []string{"-machine", machine}
	if cpu != "" {
		args = append(args, "-cpu", cpu)
	}
	return append(args, "-accel", accelerator)
}

// words returns the kernel's command line.
func (r row) words(g Guest) []string {
	if g.Cmdline != nil {
		return g.Cmdline
	}
	// panic=-1 reboots at once, which -no-reboot makes an exit.
	words := []string{"console=" + r.console, "panic=-1"}
	if r.extra != "" {
		words = append(words, r.extra)
	}
	words = append(words, g.Environment...)
	return append(words, g.Append...)
}

func find(arch string) (row, error) {
	for _, r := range table {
		if r.arch == arch {
			return r, nil
		}
	}
	return row{}, fmt.Errorf("machine: no architecture %q, only %s", arch, strings.Join(Architectures(), ", "))
}
