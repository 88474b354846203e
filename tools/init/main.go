// Init is a guest's first process. It mounts the file systems that programs look
// for, runs a program, and stops the machine when the program has ended. Or it
// finds the root file system that the kernel's command line names, and switches to
// the init there. Started as switch_root, it only switches.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
	"github.com/rules-initramfs/rules_initramfs/internal/init/switchroot"
)

const usage = `Usage: init [ARG...]
       init switch_root [OPTION...] NEWROOT INIT [ARG...]

As process 1, init runs the command that ` + settings.File + ` or init.command= on
the kernel's command line sets, and then powers off. Without a command, it finds
the root file system of root=, and switches to the init there, with ARG...
For switch_root, see init switch_root --help.
`

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	switch {
	case len(args) > 0 && filepath.Base(args[0]) == "switch_root":
		return switchRoot(args[1:])
	case len(args) > 1 && args[1] == "switch_root":
		return switchRoot(args[2:])
	case len(args) == 2 && (args[1] == "--help" || args[1] == "-h"):
		fmt.Print(usage)
		return 0
	case len(args) == 4 && args[1] == "-q" && args[2] == "--": // call_modprobe of kernel/module/kmod.c
		return modprobe(args[3])
	case os.Getpid() != 1:
		fmt.Fprintf(os.Stderr, "init: this is process %d: the kernel starts init, as process 1\n%s", os.Getpid(), usage)
		return 2
	}
	boot(args)
	return 1 // not reached
}

func switchRoot(args []string) int {
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Print(switchroot.Usage)
		return 0
	}
	request, err := switchroot.Parse(args)
	if err == nil {
		request.Env = os.Environ()
		err = switchroot.Switch(request, os.Stderr)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "switch_root:", err)
	var usageError *switchroot.UsageError
	if errors.As(err, &usageError) {
		fmt.Fprint(os.Stderr, switchroot.Usage)
		return 2
	}
	return 1
}
