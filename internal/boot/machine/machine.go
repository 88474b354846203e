// Package machine makes QEMU's command line for the virtual machine of each
// architecture.
package machine

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
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
	CPUs        int      // number of CPUs
	Machine     string   // QEMU's board and its properties; empty for the architecture's
	KVM         bool     // KVM runs the guest, instead of an emulator
	Disks       []string // paths of raw images, in the order of their devices; never written
	Files       string   // path of a directory that the guest may read; empty for none
	Network     bool     // a network card on QEMU's own network
	GDB         int      // TCP port on which QEMU waits for a debugger before it starts; zero for none
	Interactive bool     // QEMU's monitor shares the terminal with the console
}

// FilesTag is the mount tag of Guest.Files.
const FilesTag = "files"

// Architectures returns the names that Arguments accepts.
func Architectures() []string { return arch.Names() }

// GOARCH returns Go's name of an architecture; empty for an unknown one.
func GOARCH(name string) string {
	a, _ := arch.Find(name)
	return a.GOARCH
}

// Firmware returns a pattern for the last lines that QEMU's own firmware shows on the
// console of an architecture; nil if it shows nothing.
func Firmware(name string) *regexp.Regexp {
	a, _ := arch.Find(name)
	return a.Firmware
}

// Arguments returns QEMU's arguments, its own name not included, to boot g on the machine
// of an architecture with the console on standard input and output.
func Arguments(name string, g Guest) ([]string, error) {
	a, err := arch.Find(name)
	if err != nil {
		return nil, err
	}
	// Nothing that was not asked for: no configuration of the user's, none of the
	// devices that QEMU adds by itself, no network. When the guest resets, QEMU exits
	// instead of booting forever.
	args := []string{"-no-user-config", "-nodefaults"}
	args = append(args, board(a, g)...)
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
	return append(args, "-append", strings.Join(commandLine(a, g), " ")), nil
}

// board returns the options for the board, the CPU, and what runs it.
func board(a arch.Arch, g Guest) []string {
	machine, cpu, accelerator := a.Machine, a.EmulatedCPU, "tcg"
	if g.KVM {
		machine, cpu, accelerator = a.Machine+a.KVMMachine, "host", "kvm"
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

// commandLine returns the words of the kernel's command line.
func commandLine(a arch.Arch, g Guest) []string {
	if g.Cmdline != nil {
		return g.Cmdline
	}
	// panic=-1 reboots at once, and -no-reboot makes QEMU exit then.
	words := []string{"console=" + a.Console, "panic=-1"}
	if a.KernelArg != "" {
		words = append(words, a.KernelArg)
	}
	words = append(words, g.Environment...)
	return append(words, g.Append...)
}
