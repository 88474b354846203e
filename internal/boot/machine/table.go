package machine

import "regexp"

// A row is what an architecture needs of its own.
type row struct {
	arch    string // the architecture's name in the rules
	goarch  string // and Go's
	machine string // QEMU's board
	cpu     string // its processor when emulated; empty for the board's own
	console string // the kernel's name for the board's first serial port
	extra   string // for the kernel, besides the usual ones

	// kvmMachine is what follows the board's name when KVM runs the machine.
	kvmMachine string

	// firmware matches the last lines that the firmware QEMU has for the board
	// shows on the serial port; nil where it shows nothing.
	firmware *regexp.Regexp
}

// table has one row an architecture.
var table = []row{
	{
		arch:    "x86_64",
		goarch:  "amd64",
		machine: "q35",
		cpu:     "max",
		console: "ttyS0",
		// On a busy host an emulated processor may get no interrupt for so long that the
		// kernel takes the timer for broken, and panics (arch/x86/kernel/apic/io_apic.c). With a
		// value: what a kernel does not know would be an argument of /init without one.
		extra: "no_timer_check=1",
	},
	{
		arch:    "arm64",
		goarch:  "arm64",
		machine: "virt",
		// The architected pointer authentication is slow to emulate; the
		// implementation-defined algorithm is many times faster.
		cpu:     "max,pauth-impdef=on",
		console: "ttyAMA0",
		// A machine that KVM runs has the host's interrupt controller.
		kvmMachine: ",gic-version=host",
	},
	{
		arch:    "riscv64",
		goarch:  "riscv64",
		machine: "virt",
		console: "ttyS0",
		// OpenSBI ends with what it says of the processor that boots.
		firmware: regexp.MustCompile(`^Boot HART `),
	},
}
