package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/drivers"
)

func driverIndexCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:     "driver-index [OPTION...] SOURCE",
		GroupID: groupDevice,
		Short:   "Find the drivers in the source of a kernel, with their devices and options",
		Long: `Find the drivers in SOURCE, the unpacked source of a kernel: which devices each is for, by
the tables in C files, and which options turn it on, by the Kbuild files. packer devices
reads the result.

After an error, the exit code is 1. Wrong usage exits with 2.`,
		Example: "packer driver-index --out drivers.index linux-6.12",
		Args:    cli.Args("SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := drivers.Scan(cmd.Context(), args[0], os.DirFS(args[0]))
			if err != nil {
				return err
			}
			return writeResults(cmd.Context(), out, func(w io.Writer) error { return drivers.Write(w, index) })
		},
	}
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) { addOutOption(flags, &out, "") })
	return cmd
}
