package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

func linksCommand() *cobra.Command {
	var out string
	var opts source.Options
	cmd := &cobra.Command{
		Use:     "links --out FILE [OPTION...] SOURCE...",
		GroupID: groupMake,
		Short:   "List the symbolic links of a layer for the layers after it",
		Long: `List the symbolic links of lists, directories and archives, as packer pack reads them.
packer pack --earlier takes this list: if an earlier layer has a link from /lib to usr/lib,
the files of a later layer below /lib go to /usr/lib.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer links --out base.links base.tar",
		Args:    cli.Args("SOURCE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.Required(cmd, "out"); err != nil {
				return err
			}
			return pack.Links(cmd.Context(), args, opts, out)
		},
	}
	cli.Options(cmd, "Options", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write the list to `FILE`")
		flags.BoolVar(&opts.Directives, "directives", false, `Obey the directives in lists: lines that begin with "#: "`)
	})
	return cmd
}
