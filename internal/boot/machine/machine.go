// Package machine makes QEMU's command line for the virtual machine of each architecture.
package machine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// A Guest is what runs in a machine.
type Guest struct {
	// Config has the paths of files in place of runfiles, at most one Initramfs, and at
	// most one of Files: a directory that the guest may read.
	config.Config
	Environment []string // kernel arguments before KernelArgs
	Accelerated bool     // KVM runs the guest, instead of an emulator
	TPMSocket   string   // where QEMU finds the TPM: properties of its chardev "socket"
	GDB         int      // TCP port on which QEMU waits for a debugger before it starts; zero for none
}

// Arguments returns QEMU's arguments, its own name not included, to boot g on the machine
// of an architecture with the console on standard input and output.
func Arguments(a arch.Arch, g Guest) []string {
	// Nothing that was not asked for: no configuration of the user's, none of the
	// devices that QEMU adds by itself, no network. When the guest resets, QEMU exits
	// instead of booting forever.
	args := []string{"-no-user-config", "-nodefaults"}
	add := func(words ...string) { args = append(args, words...) }
	add(hardware(a, g)...)
	add("-m", strconv.Itoa(g.MemoryMiB), "-smp", strconv.Itoa(g.CPUs))
	if g.Network == config.NetworkUser {
		// Without a ROM to boot from.
		add("-netdev", "user,id=network", "-device", "virtio-net-pci,netdev=network,romfile=")
	} else {
		add("-nic", "none")
	}
	add("-display", "none", "-no-reboot")
	if g.Interactive {
		// What -nographic does: Ctrl-A x leaves QEMU, Ctrl-A c is its monitor,
		// and Ctrl-C goes to the guest.
		add("-serial", "mon:stdio")
	} else {
		add("-serial", "stdio", "-monitor", "none")
	}
	// The payload's disk comes first: the kernel names disks in the order of their slots.
	add(firmware(a, g)...)
	for i, image := range g.Disks {
		// What the guest writes goes to a temporary file of QEMU's in $TMPDIR, which is
		// gone when QEMU exits.
		add("-drive", fmt.Sprintf("if=none,id=disk%d,format=raw,snapshot=on,file=%s", i, escape(image)),
			"-device", diskDevice(g.DiskBus, i))
	}
	for _, dir := range g.Files {
		// The guest sees the owners and modes that the files have on the host.
		add("-fsdev", "local,id=files,security_model=none,readonly=on,path="+escape(dir),
			"-device", "virtio-9p-pci,fsdev=files,mount_tag=files")
	}
	add(tpm(a, g)...)
	if g.GDB != 0 {
		// Only the host can reach this port.
		add("-gdb", "tcp:localhost:"+strconv.Itoa(g.GDB), "-S")
	}
	if g.Firmware != "" {
		return args // the payload has the rest
	}
	if g.BIOS != "" {
		add("-bios", g.BIOS)
	}
	add("-kernel", g.Kernel)
	for _, archive := range g.Initramfs {
		add("-initrd", archive)
	}
	add("-append", CommandLine(a, g))
	return args
}

// diskDevice returns the device for the disk with a number. An NVMe controller must have a serial
// number.
func diskDevice(bus config.DiskBus, number int) string {
	if bus == config.DiskBusNVMe {
		return fmt.Sprintf("nvme,drive=disk%d,serial=disk%d", number, number)
	}
	return fmt.Sprintf("virtio-blk-pci,drive=disk%d", number)
}

// escape doubles the commas of a value in QEMU's option language, where a single comma ends
// the value.
func escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }

// hardware returns the options for the board, the CPU, and what runs it.
func hardware(a arch.Arch, g Guest) []string {
	machine, cpu, accelerator := a.Machine, a.EmulatedCPU, "tcg"
	if g.Accelerated {
		machine, cpu, accelerator = a.Machine+a.KVMMachine, "host", "kvm"
	}
	if g.Machine != "" {
		machine = g.Machine
	}
	if g.SecureBoot {
		machine += boards[a.Name].secureMachine
	}
	args := []string{"-machine", machine}
	if cpu != "" {
		args = append(args, "-cpu", cpu)
	}
	return append(args, "-accel", accelerator)
}

// CommandLine returns the kernel's command line.
func CommandLine(a arch.Arch, g Guest) string {
	if len(g.KernelCmdline) > 0 {
		return strings.Join(g.KernelCmdline, " ")
	}
	// panic=-1 reboots at once, and -no-reboot makes QEMU exit then.
	words := []string{"console=" + a.Console, "panic=-1"}
	if a.KernelArg != "" {
		words = append(words, a.KernelArg)
	}
	words = append(words, g.Environment...)
	return strings.Join(append(words, g.KernelArgs...), " ")
}
