package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func concatCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:     "concat --out FILE IMAGE...",
		GroupID: groupMake,
		Short:   "Concatenate images",
		Long: `Concatenate images into one that unpacks as the images would one after the other: if
several have the same path, the last one wins. Each image is checked first: it must be
complete. The zeros that the kernel needs between two images are added.

The kernel treats files of two archives as hard links of each other if their inode
numbers are equal and no trailer separates the archives. An image that does not end in a
trailer gets one, with a warning: it may be truncated. Only the last image may end in a
boot configuration.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer concat --out initramfs microcode.cpio base.cpio.zst overlay.cpio.gz",
		Args:    cli.Args("IMAGE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.Required(cmd, "out"); err != nil {
				return err
			}
			return write.Concat(cmd.Context(), args, out, warn)
		},
	}
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write the image to `FILE`")
	})
	return cmd
}
