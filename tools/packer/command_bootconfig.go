package main

import (
	"context"
	"flag"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

const bootconfigHelp = `Usage: packer bootconfig IMAGE
       packer bootconfig --apply FILE --out OUT IMAGE
       packer bootconfig --remove --out OUT IMAGE

Prints the boot configuration behind an image; or writes to OUT the image with the
one in FILE instead, or without any. OUT may be IMAGE. The kernel reads it if it has
CONFIG_BOOT_CONFIG and "bootconfig" is on its command line. Its syntax is the
kernel's affair: FILE must have no NUL in it and at most 32,766 bytes.

If IMAGE has none to print, and on an error, the exit code is 1, and OUT is as it
was; wrong usage exits with 2.

Options:
`

func runBootconfig(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packer bootconfig", flag.ContinueOnError)
	apply := flags.String("apply", "", "end the image with the boot configuration in `FILE`")
	remove := flags.Bool("remove", false, "take the boot configuration off, if there is one")
	out := flags.String("out", "", "write the image to `OUT`")
	if err := cli.ParseFlags(flags, bootconfigHelp, args); err != nil {
		return err
	}
	change := *apply != "" || *remove
	switch {
	case flags.NArg() != 1:
		return cli.UsageFault(flags, "want one IMAGE")
	case *apply != "" && *remove:
		return cli.UsageFault(flags, "--apply and --remove exclude each other")
	case change && *out == "":
		return cli.UsageFault(flags, "no --out OUT")
	case !change && *out != "":
		return cli.UsageFault(flags, "--out goes with --apply or --remove")
	}
	image := flags.Arg(0)
	switch {
	case *apply != "":
		return write.ApplyBootconfig(ctx, image, *apply, *out)
	case *remove:
		return write.RemoveBootconfig(ctx, image, *out)
	}
	data, err := write.Bootconfig(ctx, image)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(data)
	return err
}
