package machine

// A row is what an architecture needs of its own.
type row struct {
	arch    string   // the architecture's name in the rules
	options []string // QEMU's options for the board and the processor
	console string   // the kernel's name for the board's first serial port
}

// table has one row an architecture.
var table = []row{
	{
		arch:    "x86_64",
		options: []string{"-machine", "q35", "-cpu", "max"},
		console: "ttyS0",
	},
	{
		arch: "arm64",
		// The architected pointer authentication is slow to emulate; the
		// implementation-defined algorithm is many times faster.
		options: []string{"-machine", "virt", "-cpu", "max,pauth-impdef=on"},
		console: "ttyAMA0",
	},
	{
		arch:    "riscv64",
		options: []string{"-machine", "virt"},
		console: "ttyS0",
	},
}
