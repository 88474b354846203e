package main

import (
	"context"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/source"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/drivers"
)

func driverIndexCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:     "driver-index [OPTION...] SOURCE",
		GroupID: groupDevice,
		Short:   "Find the drivers in the source of a kernel, with their devices and options",
		Long: `Find the drivers in SOURCE, the source of a kernel: which devices each is for, by the tables
in C files, and which options turn it on, by the Kbuild files. packer devices reads the
result. SOURCE is a directory, or a tarball, which is unpacked to the directory for
temporary files and takes 2 GB there. If the program xz is on PATH, it decompresses.

After an error, the exit code is 1. Wrong usage exits with 2.`,
		Example: "packer driver-index --out drivers.index linux-6.12",
		Args:    cli.Args("SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := scanSource(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return writeResults(cmd.Context(), out, func(w io.Writer) error { return drivers.Write(w, index) })
		},
	}
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) { addOutOption(flags, &out, "") })
	return cmd
}

// scanSource returns the drivers in a directory or tarball.
func scanSource(ctx context.Context, name string) (*drivers.Index, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	dir := name
	if !info.IsDir() {
		if dir, err = os.MkdirTemp("", "driver-index-"); err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if _, err := source.Unpack(ctx, name, dir, exec.LookPath); err != nil {
			return nil, err
		}
	}
	return drivers.Scan(ctx, name, os.DirFS(dir))
}
