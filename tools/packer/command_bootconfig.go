package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func bootconfigCommand() *cobra.Command {
	var (
		apply, out string
		remove     bool
	)
	cmd := &cobra.Command{
		Use: "bootconfig IMAGE\n" +
			"bootconfig --apply FILE --out OUT IMAGE\n" +
			"bootconfig --remove --out OUT IMAGE",
		GroupID: groupMake,
		Short:   "Print, add or remove the boot configuration of an image",
		Long: `Print the boot configuration at the end of an image. With --apply or --remove, write the
image to OUT with another boot configuration, or with none. OUT may be IMAGE.

The kernel reads the boot configuration if it is built with CONFIG_BOOT_CONFIG and its
command line has the word "bootconfig". FILE has at most 32,766 bytes and no NUL; the
packer does not check its syntax.

The exit code is 1 if IMAGE has no boot configuration to print. After an error, the exit
code is 1 and OUT is unchanged. Wrong usage exits with 2.`,
		Example: "packer bootconfig --apply boot.conf --out initramfs.new initramfs",
		Args:    cli.Args("IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, image := cmd.Context(), args[0]
			if err := cli.Exclusive(cmd, "apply", "remove"); err != nil {
				return err
			}
			switch change := apply != "" || remove; {
			case change && out == "":
				return cli.Required(cmd, "out")
			case !change && out != "":
				return cli.Usagef(cmd, "--out needs --apply or --remove")
			case change:
				return write.ReplaceBootconfig(ctx, image, apply, out)
			}
			data, err := write.Bootconfig(ctx, image)
			if err == nil {
				_, err = os.Stdout.Write(data)
			}
			return err
		},
	}
	cli.Options(cmd, "Changes", func(flags *pflag.FlagSet) {
		flags.StringVar(&apply, "apply", "", "Add the boot configuration in `FILE`, or replace the one in IMAGE")
		flags.BoolVar(&remove, "remove", false, "Remove the boot configuration, if there is one")
		flags.StringVar(&out, "out", "", "Write the image to `OUT`")
	})
	return cmd
}
