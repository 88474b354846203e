// Package arch is the table of the architectures that kernels are built for and
// booted on. A row has everything that the programs and the rules know about one.
package arch

import (
	"fmt"
	"regexp"
	"strings"
)

// Arch is an architecture.
type Arch struct {
	// Name is the architecture's, in the rules and on command lines.
	Name string
	// GOARCH is Go's name, Debian that of Debian's packages, and JVM that of the Java
	// system property os.arch, which is where Bazel's repository rules have it from.
	GOARCH, Debian, JVM string
	// CPU is the constraint value, a label.
	CPU string

	// Make is make's ARCH; SrcArch is the directory below arch/ in the kernel's source.
	Make, SrcArch string
	// Target makes the kernel image; Image is its path in a build directory.
	Target, Image string
	// CrossCompile is the usual prefix of a cross compiler's programs.
	CrossCompile string
	// Option is set in every configuration of the architecture.
	Option string
	// Room is the most that a kernel image may take in memory, in bytes; RoomRandom is
	// the same with CONFIG_RANDOMIZE_BASE.
	Room, RoomRandom int64

	// QEMU is the program that emulates the architecture.
	QEMU string
	// Machine is QEMU's board, and KVMMachine what follows it when KVM runs the guest.
	Machine, KVMMachine string
	// EmulatedCPU is the CPU that QEMU emulates; empty for the board's own.
	EmulatedCPU string
	// Console is the kernel's name for the board's first serial port.
	Console string
	// MaxCommandLine is the longest command line of the kernel, in bytes: COMMAND_LINE_SIZE
	// without the zero at its end. The kernel drops what follows.
	MaxCommandLine int
	// KernelArg is added to the usual arguments on the kernel's command line.
	KernelArg string
	// EFI is the architecture's name in the file names of UEFI: EFI/BOOT/BOOTX64.EFI, and
	// linuxx64.efi.stub of systemd.
	EFI string
	// PEMachine is the architecture of a PE file, an EFI executable: IMAGE_FILE_MACHINE_*.
	PEMachine uint16
	// UBoot is the architecture in images for U-Boot, as mkimage -A takes it.
	UBoot string
	// TPMDevice is QEMU's device that connects a TPM to the board.
	TPMDevice string
	// Firmware matches the last lines that the board's firmware shows on the serial
	// port; nil if it shows nothing.
	Firmware *regexp.Regexp
}

// MaxRoom is how far addresses in a kernel's code reach, in bytes: most kernel images
// may take that much.
const MaxRoom = 2 << 30

var table = []Arch{
	{
		Name:   "x86_64",
		GOARCH: "amd64",
		Debian: "amd64",
		JVM:    "amd64",
		CPU:    "@platforms//cpu:x86_64",

		Make:         "x86_64",
		SrcArch:      "x86",
		Target:       "bzImage",
		Image:        "arch/x86/boot/bzImage",
		CrossCompile: "x86_64-linux-gnu-",
		Option:       "CONFIG_X86_64",
		// KERNEL_IMAGE_SIZE of arch/x86/include/asm/page_64_types.h.
		Room:       512 << 20,
		RoomRandom: 1 << 30,

		QEMU:        "qemu-system-x86_64",
		Machine:     "q35",
		EmulatedCPU: "max",
		Console:     "ttyS0",
		// arch/x86/include/asm/setup.h; the header of a bzImage has it too.
		MaxCommandLine: 2047,
		// On a busy host, an emulated CPU may get no interrupt for so long that the kernel
		// finds its timer broken, and panics (arch/x86/kernel/apic/io_apic.c). The value
		// keeps kernels that do not know the argument from passing it to /init.
		KernelArg: "no_timer_check=1",

		EFI:       "x64",
		PEMachine: 0x8664,
		UBoot:     "x86_64",
		TPMDevice: "tpm-tis",
	},
	{
		Name:   "arm64",
		GOARCH: "arm64",
		Debian: "arm64",
		JVM:    "aarch64",
		CPU:    "@platforms//cpu:aarch64",

		Make:         "arm64",
		SrcArch:      "arm64",
		Target:       "Image",
		Image:        "arch/arm64/boot/Image",
		CrossCompile: "aarch64-linux-gnu-",
		Option:       "CONFIG_ARM64",
		Room:         MaxRoom,
		RoomRandom:   MaxRoom,

		QEMU:    "qemu-system-aarch64",
		Machine: "virt",
		// With KVM, the machine has the host's interrupt controller.
		KVMMachine: ",gic-version=host",
		// The architected pointer authentication is slow to emulate; the
		// implementation-defined algorithm is many times faster.
		EmulatedCPU: "max,pauth-impdef=on",
		Console:     "ttyAMA0",
		// arch/arm64/include/uapi/asm/setup.h.
		MaxCommandLine: 2047,

		EFI:       "aa64",
		PEMachine: 0xaa64,
		UBoot:     "arm64",
		TPMDevice: "tpm-tis-device",
	},
	{
		Name:   "riscv64",
		GOARCH: "riscv64",
		Debian: "riscv64",
		JVM:    "riscv64",
		CPU:    "@platforms//cpu:riscv64",

		Make:         "riscv",
		SrcArch:      "riscv",
		Target:       "Image",
		Image:        "arch/riscv/boot/Image",
		CrossCompile: "riscv64-linux-gnu-",
		Option:       "CONFIG_RISCV",
		// KERNEL_LINK_ADDR of arch/riscv/include/asm/pgtable.h.
		Room:       MaxRoom,
		RoomRandom: MaxRoom,

		QEMU:    "qemu-system-riscv64",
		Machine: "virt",
		Console: "ttyS0",
		// arch/riscv/include/uapi/asm/setup.h of 7.2. Older kernels have half of it, or less.
		MaxCommandLine: 2047,
		// The last lines of OpenSBI describe the hart that boots.
		Firmware: regexp.MustCompile(`^Boot HART `),

		EFI:       "riscv64",
		PEMachine: 0x5064,
		UBoot:     "riscv",
		TPMDevice: "tpm-tis-device",
	},
}

// All returns the architectures.
func All() []Arch { return append([]Arch(nil), table...) }

// Names returns the names of the architectures.
func Names() []string {
	var names []string
	for _, a := range table {
		names = append(names, a.Name)
	}
	return names
}

// Find returns the architecture with this name.
func Find(name string) (Arch, error) {
	for _, a := range table {
		if a.Name == name {
			return a, nil
		}
	}
	return Arch{}, fmt.Errorf("unknown architecture %q: want %s", name, strings.Join(Names(), ", "))
}
