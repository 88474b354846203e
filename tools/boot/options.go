package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/cli"
)

// options are what the command line says.
type options struct {
	config       string
	printCommand bool
	gdb          int // a TCP port, or 0
	kernelArgs   []string
	memoryMiB    int // 0 for what the configuration says
	cpus         int // likewise
	kvm          string
}

// newProgram returns the command of the executable at a path.
func newProgram(executable string) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use: "boot [OPTION...]",
		// The rules make an executable for each target.
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "bazel run TARGET --"},
		Long: `Boot a kernel in QEMU and watch its console. On a terminal, Ctrl-A x leaves QEMU, Ctrl-A c
is its monitor, and Ctrl-C goes to the guest.

The exit code is 0 if the boot went as expected, 1 if it did not, 2 after wrong usage or
if the configuration cannot be read.

Environment:
  TEST_TIMEOUT                 The time limit of the test, in seconds: a boot without a
                               limit of its own gets 90% of it
  TEST_UNDECLARED_OUTPUTS_DIR  Where to write console.log, qemu-command.txt and result.json
  TEST_TMPDIR                  Where to make temporary files
  XML_OUTPUT_FILE              Where to write the test cases
  TERM                         The type of the terminal, which is passed to the guest`,
		Example: "bazel run //:boot -- --kernel-args=quiet --memory=2048 --gdb",
		Args:    cli.Args(),
		RunE:    func(*cobra.Command, []string) error { return o.run() },
	}
	cli.Options(cmd, "Machine", func(flags *pflag.FlagSet) {
		flags.IntVar(&o.cpus, "cpus", 0, "Set the number of CPUs to `N`")
		flags.IntVar(&o.memoryMiB, "memory", 0, "Set the size of the memory to `MIB` MiB")
		flags.StringVar(&o.kvm, "kvm", "", "Set when to use KVM: `WHEN` is auto, on or off")
		flags.StringArrayVar(&o.kernelArgs, "kernel-args", nil, "Add `WORDS` to the end of the kernel's command line; may be repeated")
	})
	cli.Options(cmd, "Debugging", func(flags *pflag.FlagSet) {
		flags.Func("gdb", "Wait for a debugger on the TCP `PORT` of this machine before the first instruction (default 1234); only on a terminal",
			func(text string) error {
				port, err := strconv.ParseUint(text, 10, 16)
				if o.gdb = int(port); err != nil || port == 0 {
					return fmt.Errorf("%q: want a TCP port from 1 to 65535", text)
				}
				return nil
			})
		flags.Lookup("gdb").NoOptDefVal = "1234"
		flags.BoolVar(&o.printCommand, "print-command", false, "Print the QEMU command instead of running it, and before it the one that starts a TPM; their temporary files are kept")
		flags.StringVar(&o.config, "config", executable+".boot.json", "Read the configuration of the boot from the JSON `FILE` (default: the path of this executable and .boot.json)")
	})
	cli.CompleteValues(cmd, "kvm", "auto", "on", "off")
	return cmd
}

// apply changes a configuration as the options say.
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
		return errors.New("--gdb: a test has a time limit and no terminal: use a target of the rule boot")
	}
	args := o.kernelArgs
	if o.gdb != 0 && c.Firmware == "" {
		// Addresses are those of vmlinux.
		args = append([]string{"nokaslr"}, args...)
	}
	if len(c.KernelCmdline) > 0 {
		c.KernelCmdline = append(c.KernelCmdline, args...)
	} else {
		c.KernelArgs = append(c.KernelArgs, args...)
	}
	return c.Check()
}
