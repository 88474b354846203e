package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/unpack"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
)

const extractHelp = `Usage: packer extract [OPTION...] IMAGE DIR

Unpacks an image to DIR, which must be empty or new. "-" is standard input.
DIR gets what a kernel has in its root directory after it has unpacked the image.
Nothing is written outside DIR: names and symbolic links lead where they lead with
DIR as the root directory.

Owners and device nodes need root. Without it, and where an entry is one that the
kernel would drop, what is left out is reported and the exit code is 1. On an
error the exit code is 1 and DIR is as it was; wrong usage exits with 2.

Options:
`

func runExtract(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packer extract", flag.ContinueOnError)
	skip := flags.Bool("skip-special", false, "leave owners and device nodes out in silence where this user may not make them")
	if err := cli.ParseFlags(flags, extractHelp, args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return cli.UsageFault(flags, "want IMAGE DIR")
	}
	name, dir := flags.Arg(0), flags.Arg(1)
	img, err := image.Open(ctx, name)
	if err != nil {
		return err
	}
	defer img.Close()
	var losses [3]int
	err = unpack.Extract(img.Reader, dir, func(loss unpack.Loss, entry, reason string) {
		switch {
		case loss != unpack.LossDropped && *skip:
			return
		case loss != unpack.LossOwner: // those may be all entries
			fmt.Fprintf(os.Stderr, "packer: %s: %s is left out: %s\n", name, listing.Printable(entry), reason)
		}
		losses[loss]++
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	warnCut(img)
	var lost []string
	for loss, what := range []string{
		unpack.LossDropped: "%d entries",
		unpack.LossNode:    "%d device nodes",
		unpack.LossOwner:   "the owners of %d entries",
	} {
		if losses[loss] > 0 {
			lost = append(lost, fmt.Sprintf(what, losses[loss]))
		}
	}
	switch {
	case lost == nil:
		return nil
	case losses[unpack.LossDropped] > 0:
		return fmt.Errorf("%s is not all in %s: left out: %s", name, dir, strings.Join(lost, ", "))
	}
	return fmt.Errorf("%s is not all in %s: left out: %s; --skip-special accepts that", name, dir, strings.Join(lost, ", "))
}
