package main

import (
	"cmp"
	"io"
	"math"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/fit"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
	"github.com/rules-initramfs/rules_initramfs/internal/uimage"
)

func uimageCommand() *cobra.Command {
	header := &uimage.Header{}
	var out, architecture string
	var load, entry *fit.Address
	cmd := &cobra.Command{
		Use:     "uimage --type TYPE --arch ARCH --out FILE [OPTION...] PART...",
		GroupID: groupPayload,
		Short:   "Make a uImage, the old format of U-Boot",
		Long: `Make a uImage, the old format of U-Boot: a kernel, an initramfs image or a script, with a
header before it. It is the one that mkimage makes. Several PARTs are joined, each at a
multiple of 4 bytes. They are not compressed: --compress says what they are compressed with.
U-Boot does not decompress an initramfs image, so none is right for it.

U-Boot runs the script /boot.scr of a disk by itself. It is a uImage of the type script.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer uimage --type script --arch arm64 --out boot.scr boot.cmd",
		Args:    cli.Args("PART..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := cmp.Or(cli.Required(cmd, "type", "arch", "out"),
				checkOutputs(cmd, []usedFile{{"--out", out}}, usedFiles("PART", args)...))
			if err != nil {
				return err
			}
			if header.Arch, err = arch.Find(architecture); err != nil {
				return cli.Usagef(cmd, "--arch: %v", err)
			}
			for _, address := range []struct {
				from *fit.Address
				to   *uint32
				name string
			}{{load, &header.Load, "load"}, {cmp.Or(entry, load), &header.Entry, "entry"}} {
				if address.from == nil {
					continue
				}
				if *address.from > math.MaxUint32 {
					return cli.Usagef(cmd, "--%s %v: a uImage has addresses of 32 bits: make a FIT image", address.name, *address.from)
				}
				*address.to = uint32(*address.from)
			}
			content, err := parts.Open(args)
			if err != nil {
				return err
			}
			return writeResults(cmd.Context(), out, func(w io.Writer) error { return header.Write(w, content) })
		},
	}
	cli.Options(cmd, "Header", func(flags *pflag.FlagSet) {
		flags.StringVar(&header.Type, "type", "", "Make an image of the type `TYPE`: kernel, kernel_noload, ramdisk or script")
		flags.StringVar(&architecture, "arch", "", "Make an image for `ARCH`, such as arm64")
		flags.StringVar(&header.Compression, "compress", "", "Say that the parts are compressed with `CODEC` (default none)")
		addAddress(flags, &load, "load", "Load it at `ADDRESS`, such as 0x80200000 (default 0)")
		addAddress(flags, &entry, "entry", "Start the kernel at `ADDRESS` (default that of --load)")
		flags.StringVar(&header.Name, "name", "", "Call it `TEXT`")
		addTimestamp(flags, &header.Timestamp)
	})
	cli.CompleteValues(cmd, "type", uimage.Types()...)
	cli.CompleteValues(cmd, "arch", arch.Names()...)
	cli.CompleteValues(cmd, "compress", uimage.Compressions()...)
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write the image to `FILE`")
	})
	return cmd
}
