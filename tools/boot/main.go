// Command boot starts QEMU with a kernel and an initramfs, watches the console, and reports
// how the boot went. The rules boot_test and boot run it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/runner"
	"github.com/rules-initramfs/rules_initramfs/internal/cli"
)

func main() {
	os.Exit(cli.Run(newProgram(os.Args[0]), os.Args[1:], os.Stdout, os.Stderr))
}

// run boots as the options say.
func (o *options) run() error {
	c, limit, err := o.readConfig()
	if err != nil {
		return &cli.ExitError{Code: runner.ExitUsage, Err: err}
	}
	session := runner.NewSession()
	session.TimeLimit, session.GDB = limit, o.gdb
	if o.printCommand {
		command, err := runner.Command(c, session)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Label, err)
		}
		fmt.Println(command)
		return nil
	}
	if o.gdb != 0 {
		fmt.Fprintln(os.Stderr, debuggerHint(c, session))
	}
	if code := runner.Run(c, session); code != runner.ExitSuccess {
		return &cli.ExitError{Code: code}
	}
	return nil
}

// readConfig reads the configuration and applies the options to it. A limit of 0 means no limit.
func (o *options) readConfig() (c *config.Config, limit time.Duration, err error) {
	if c, err = config.Read(o.config); err != nil {
		return nil, 0, err
	}
	if err = o.apply(c); err == nil {
		limit, err = c.TimeLimit(os.Getenv("TEST_TIMEOUT"))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", c.Label, err)
	}
	if o.gdb != 0 {
		limit = 0 // debugging takes time
	}
	return c, limit, nil
}

// debuggerHint returns the command that debugs a waiting guest.
func debuggerHint(c *config.Config, s runner.Session) string {
	vmlinux := c.Vmlinux
	if !filepath.IsAbs(vmlinux) {
		vmlinux, _ = s.Rlocation(vmlinux) // empty if there is none
	}
	command := ": gdb " + vmlinux + " "
	if vmlinux == "" {
		command = ", and there is no vmlinux with symbols: gdb "
	}
	return fmt.Sprintf("boot: %s: waiting for a debugger%s-ex 'target remote localhost:%d'", c.Label, command, s.GDB)
}
