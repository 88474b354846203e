package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
)

const usage = `Usage: %s [FLAG...]

Boots a kernel in QEMU and watches its console. On the terminal, Ctrl-A x leaves
QEMU, Ctrl-A c is its monitor, and Ctrl-C goes to the guest.

  --append=WORDS   words for the end of the kernel's command line; may be given
                   several times
  --cpus=N         how many processors the machine has
  --gdb[=PORT]     wait for a debugger before the kernel's first instruction, on
                   a TCP port of this machine, 1234 by default; only where the
                   console is the terminal
  --kvm=WHEN       auto, on or off: does KVM run the guest?
  --memory=MIB     the machine's memory, in MiB
  --print-command  print QEMU's command line instead of running it; temporary
                   files that it names are left
  --config=FILE    the boot's configuration, in JSON; by default the name of
                   this executable followed by .boot.json
  --help           print this

Environment:
  TEST_TIMEOUT                 seconds; a boot with no time limit of its own
                               gets 90%% of it
  TEST_UNDECLARED_OUTPUTS_DIR  where console.log, qemu-command.txt and
                               result.json go
  TEST_TMPDIR                  where temporary files go
  XML_OUTPUT_FILE              where the test's cases go
  TERM                         the kind of terminal, which a guest on it is told

Exit status: 0 the boot went as expected, 1 it did not, 2 wrong usage or an
unreadable configuration.
`

// options are what the command line says.
type options struct {
	config       string
	printCommand bool
	gdb          gdbPort
	append       words
	memoryMiB    int // zero for what the configuration says
	cpus         int // likewise
	kvm          string
}

// parseOptions reads the arguments args of the executable name. It returns
// flag.ErrHelp for --help, and prints nothing.
func parseOptions(name string, args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.config, "config", name+".boot.json", "")
	flags.BoolVar(&o.printCommand, "print-command", false, "")
	flags.Var(&o.gdb, "gdb", "")
	flags.Var(&o.append, "append", "")
	flags.IntVar(&o.memoryMiB, "memory", 0, "")
	flags.IntVar(&o.cpus, "cpus", 0, "")
	flags.StringVar(&o.kvm, "kvm", "", "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}

// apply changes c as the options say.
func (o *options) apply(c *config.Config) error {
	if o.memoryMiB != 0 {
		c.MemoryMiB = o.memoryMiB
	}
	if o.cpus != 0 {
		c.CPUs = o.cpus
	}
	if o.kvm != "" {
		c.KVM = config.KVM(o.kvm)
	}
	if o.gdb != 0 && !c.Interactive {
		return errors.New("--gdb: a test has a time limit, and no terminal: use a target of the rule boot")
	}
	extra := []string(o.append)
	if o.gdb != 0 {
		// Addresses as they are in vmlinux.
		extra = append([]string{"nokaslr"}, extra...)
	}
	if len(c.KernelCmdline) > 0 {
		c.KernelCmdline = append(c.KernelCmdline, extra...)
	} else {
		c.KernelArgs = append(c.KernelArgs, extra...)
	}
	return c.Check()
}

// words are the arguments of a flag that may be given several times.
type words []string

func (w *words) String() string { return strings.Join(*w, " ") }

func (w *words) Set(s string) error {
	*w = append(*w, s)
	return nil
}

// gdbPort is a TCP port, 1234 where the flag has no value.
type gdbPort int

func (p *gdbPort) String() string { return strconv.Itoa(int(*p)) }

func (p *gdbPort) IsBoolFlag() bool { return true }

func (p *gdbPort) Set(s string) error {
	if s == "true" {
		*p = 1234
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return errors.New("want a TCP port from 1 to 65535")
	}
	*p = gdbPort(n)
	return nil
}
