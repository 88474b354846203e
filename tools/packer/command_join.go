package main

import (
	"context"
	"flag"
	"runtime"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

const joinHelp = `Usage: packer join --out FILE [OPTION...] LAYER LIST [LAYER LIST]...
       packer join --tail --out FILE [OPTION...] LIST...

Joins the layers of an image. Each LAYER is an archive that packer pack --layer has
written, and its LIST is what --write-list has written. The layers are copied as they
are. The lists say whether they fit together: a path in two layers is an error, unless
the later one replaces it.

With --tail, FILE is only what comes after the last layer, which may be nothing: for
a boot loader that loads the layers and FILE as initrd files of their own. Archives
of --prepend are checked and are not part of FILE. The lists and listings are those
of the whole image.

On an error the exit code is 1 and FILE is as it was; wrong usage exits with 2.

Options:
`

func runJoin(ctx context.Context, args []string) error {
	opts := write.Options{MemberSize: codec.DefaultMemberSize, Jobs: runtime.GOMAXPROCS(0)}
	flags := flag.NewFlagSet("packer join", flag.ContinueOnError)
	flags.StringVar(&opts.Out, "out", "", "write the image to `FILE`")
	tail := flags.Bool("tail", false, "write only what comes after the layers")
	addListingFlags(flags, &opts)
	addMethodFlags(flags, &opts)
	addFormatFlags(flags, &opts)
	addFrameFlags(flags, &opts)
	if err := cli.ParseFlags(flags, joinHelp, args); err != nil {
		return err
	}
	switch {
	case opts.Out == "":
		return cli.UsageFault(flags, "no --out FILE")
	case bothMethods(flags):
		return cli.UsageFault(flags, "--compress and --compressor: want one of them")
	case *tail && flags.NArg() == 0:
		return cli.UsageFault(flags, "--tail: want the LIST of each layer")
	case *tail:
		return pack.JoinTail(ctx, flags.Args(), opts)
	case flags.NArg() == 0 || flags.NArg()%2 != 0:
		return cli.UsageFault(flags, "want LAYER LIST for each layer")
	}
	var layers []pack.Layer
	for i := 0; i < flags.NArg(); i += 2 {
		layers = append(layers, pack.Layer{Archive: flags.Arg(i), List: flags.Arg(i + 1)})
	}
	return pack.Join(ctx, layers, opts)
}
