// Package machine knows the virtual machine of each architecture, as QEMU's
// command line.
package machine

import (
	"fmt"
	"strconv"
	"strings"
)

// A Guest is what runs in a machine.
type Guest struct {
	Kernel      string   // path of the kernel image
	Initramfs   string   // path of the initramfs; empty for none
	Append      []string // words at the end of the kernel's command line
	MemoryMiB   int      // memory, in MiB
	CPUs        int      // number of processors
	Interactive bool     // QEMU's monitor shares the terminal with the console
}

// Architectures returns the names Arguments accepts.
func Architectures() []string {
	names := make([]string, len(table))
	for i, r := range table {
		names[i] = r.arch
	}
	return names
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
	args = append(args, r.options...)
	args = append(args,
		"-accel", "tcg",
		"-m", strconv.Itoa(g.MemoryMiB),
		"-smp", strconv.Itoa(g.CPUs),
		"-nic", "none",
		"-display", "none",
		"-no-reboot",
	)
	if g.Interactive {
		// What -nographic does: Ctrl-A x leaves QEMU, Ctrl-A c is its monitor,
		// and Ctrl-C goes to the guest.
		args = append(args,
			"-chardev", "stdio,id=console,mux=on,signal=off",
			"-serial", "chardev:console",
			"-mon", "chardev=console,mode=readline",
		)
	} else {
		args = append(args, "-serial", "stdio", "-monitor", "none")
	}
	args = append(args, "-kernel", g.Kernel)
	if g.Initramfs != "" {
		args = append(args, "-initrd", g.Initramfs)
	}
	// panic=-1 reboots at once, which -no-reboot makes an exit.
	words := append([]string{"console=" + r.console, "panic=-1"}, g.Append...)
	return append(args, "-append", strings.Join(words, " ")), nil
}

func find(arch string) (row, error) {
	for _, r := range table {
		if r.arch == arch {
			return r, nil
		}
	}
	return row{}, fmt.Errorf("machine: no architecture %q, only %s", arch, strings.Join(Architectures(), ", "))
}
