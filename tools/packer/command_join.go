package main

import (
	"cmp"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func joinCommand() *cobra.Command {
	opts := write.Options{MemberSize: codec.DefaultMemberSize, Jobs: runtime.GOMAXPROCS(0)}
	var files pack.Layers
	var tail bool
	var finishMethod func(*cobra.Command) error
	cmd := &cobra.Command{
		Use: "join --out FILE [OPTION...] {LAYER LIST}...\n" +
			"join --tail --out FILE [OPTION...] LIST...",
		GroupID: groupMake,
		Short:   "Join the layers of an image",
		Long: `Join the layers of an image. Each layer is a file LAYER that packer pack --layer has
written, with its completed LIST (--write-list). Layers are copied as they are. The lists
show whether the layers fit together: a path that two layers have is an error, unless the
later layer replaces it.

With --tail, FILE is only what follows the last layer, and may be empty. It is for a boot
loader that loads the layers and the tail as separate initrd files. What --prepend names
is checked but is not part of FILE. The list and the listings are those of the whole image.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer join --out initramfs base.cpio base.list app.cpio app.list",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(cli.Required(cmd, "out"), finishMethod(cmd)); err != nil {
				return err
			}
			if err := checkContents(cmd, &opts); err != nil {
				return err
			}
			switch {
			case tail && len(args) == 0:
				return cli.Usagef(cmd, "--tail needs the LIST of each layer")
			case tail:
				files.Lists = args
				return pack.Join(cmd.Context(), files, opts)
			case len(args) == 0 || len(args)%2 != 0:
				return cli.Usagef(cmd, "each layer needs two arguments: LAYER LIST")
			}
			for i := 0; i < len(args); i += 2 {
				files.Archives, files.Lists = append(files.Archives, args[i]), append(files.Lists, args[i+1])
			}
			return pack.Join(cmd.Context(), files, opts)
		},
	}
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&opts.Out, "out", "", "Write the image to `FILE`")
		flags.BoolVar(&tail, "tail", false, "Write only what follows the layers")
		addListingOptions(flags, &opts)
		flags.StringVar(&opts.ContentsOut, "write-contents", "",
			"Write the indexes of kernel modules that join makes to `DIR`, new or empty, so that the list of --write-list can name them")
	})
	cli.Options(cmd, "What join adds to the layers", func(flags *pflag.FlagSet) {
		finishMethod = addMethodOptions(flags, &opts)
		addFormatOptions(flags, &opts)
		addModuleCatalogOption(flags, &files.ModuleCatalogs)
	})
	cli.CompleteValues(cmd, "compress", codec.Names()...)
	cli.Options(cmd, "Before and after the layers", func(flags *pflag.FlagSet) { addFrameOptions(flags, &opts) })
	return cmd
}
