// Boot starts QEMU on a kernel and an initramfs, watches the console, and says
// how the boot went. It is the executable behind the boot_test and boot rules.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/bazelbuild/rules_go/go/runfiles"
	"github.com/rules-initramfs/rules_initramfs/tools/boot/config"
	"github.com/rules-initramfs/rules_initramfs/tools/boot/runner"
)

const usage = `Usage: %s [--config FILE]

Boots a kernel in QEMU as FILE says and watches its console.

  --config FILE  the boot's configuration, in JSON; without it, the name of
                 this executable followed by .boot.json

Environment:
  TEST_TIMEOUT                 seconds; a boot with no time limit of its own
                               gets 90%% of it
  TEST_UNDECLARED_OUTPUTS_DIR  where console.log and qemu-command.txt go
  TEST_TMPDIR                  where temporary files go

Exit status: 0 the boot went as expected, 1 it did not, 2 wrong usage or an
unreadable configuration.
`

func main() {
	os.Exit(run(os.Args))
}

func run(args []string) int {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.Usage = func() {} // the flag package would print it to stderr, for --help too
	name := flags.String("config", args[0]+".boot.json", "")
	switch err := flags.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Printf(usage, args[0])
		return runner.ExitSuccess
	case err != nil: // already printed
		fmt.Fprintf(os.Stderr, usage, args[0])
		return runner.ExitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(os.Stderr, "boot: unexpected argument %q\n", flags.Arg(0))
		fmt.Fprintf(os.Stderr, usage, args[0])
		return runner.ExitUsage
	}

	c, err := config.Read(*name)
	if err != nil {
		fmt.Fprintf(os.Stderr, "boot: %v\n", err)
		return runner.ExitUsage
	}
	limit, err := c.TimeLimit(os.Getenv("TEST_TIMEOUT"))
	if err != nil {
		fmt.Fprintf(os.Stderr, "boot: %s: %v\n", c.Label, err)
		return runner.ExitUsage
	}

	signals := make(chan os.Signal, 1)
	// SIGPIPE too: when nobody reads the console any more, QEMU has to go and
	// the temporary files with it.
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGTERM)

	return runner.Run(c, runner.Session{
		TimeLimit:  limit,
		OutputsDir: os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"),
		TempDir:    os.Getenv("TEST_TMPDIR"),
		Rlocation:  runfiles.Rlocation,
		Signals:    signals,
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
	})
}
