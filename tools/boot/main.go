// Boot starts QEMU on a kernel and an initramfs, watches the console, and says
// how the boot went. It is the executable behind the boot_test and boot rules.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/bazelbuild/rules_go/go/runfiles"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/kvm"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/runner"
)

func main() {
	os.Exit(run(os.Args))
}

func run(args []string) int {
	o, err := parseOptions(args[0], args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Printf(usage, args[0])
		return runner.ExitSuccess
	case err != nil:
		fmt.Fprintf(os.Stderr, "boot: %v\n", err)
		fmt.Fprintf(os.Stderr, usage, args[0])
		return runner.ExitUsage
	}

	c, err := config.Read(o.config)
	if err != nil {
		fmt.Fprintf(os.Stderr, "boot: %v\n", err)
		return runner.ExitUsage
	}
	if err := o.apply(c); err != nil {
		fmt.Fprintf(os.Stderr, "boot: %s: %v\n", c.Label, err)
		return runner.ExitUsage
	}
	limit, err := c.TimeLimit(os.Getenv("TEST_TIMEOUT"))
	if err != nil {
		fmt.Fprintf(os.Stderr, "boot: %s: %v\n", c.Label, err)
		return runner.ExitUsage
	}
	if o.gdb != 0 {
		limit = 0 // who debugs takes time
	}

	signals := make(chan os.Signal, 1)
	// SIGPIPE too: when nobody reads the console any more, QEMU has to go and
	// the temporary files with it.
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGTERM)

	session := runner.Session{
		TimeLimit:  limit,
		OutputsDir: os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"),
		XMLFile:    os.Getenv("XML_OUTPUT_FILE"),
		TempDir:    os.Getenv("TEST_TMPDIR"),
		Term:       os.Getenv("TERM"),
		GDB:        int(o.gdb),
		Rlocation:  runfiles.Rlocation,
		ProbeKVM:   kvm.Probe,
		Signals:    signals,
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
	}
	if o.printCommand {
		command, err := runner.Command(c, session)
		if err != nil {
			fmt.Fprintf(os.Stderr, "boot: %s: %v\n", c.Label, err)
			return runner.ExitFailure
		}
		fmt.Println(command)
		return runner.ExitSuccess
	}
	if o.gdb != 0 {
		fmt.Fprintln(os.Stderr, debuggerHint(c, session))
	}
	return runner.Run(c, session)
}

// debuggerHint says how to get at a guest that waits for a debugger.
func debuggerHint(c *config.Config, s runner.Session) string {
	target := fmt.Sprintf("-ex 'target remote localhost:%d'", s.GDB)
	prefix := "boot: " + c.Label + ": "
	vmlinux := c.Vmlinux
	if !filepath.IsAbs(vmlinux) {
		vmlinux, _ = s.Rlocation(vmlinux) // empty without one
	}
	if vmlinux == "" {
		return prefix + "waiting for a debugger, and there is no vmlinux with symbols: gdb " + target
	}
	return prefix + "waiting for a debugger: gdb " + vmlinux + " " + target
}
