package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

const concatHelp = `Usage: packer concat --out FILE IMAGE...

Joins images into one, which is unpacked as they would be one after the other: of a
path that several have, the last one counts. Each image is read to its end first, and
must be whole. Between two of them are zeros, as many as the kernel wants.

The kernel takes files of two archives for hard links of one another if their
numbers are the same and no trailer is between. An image that has none at its end
gets one, with a warning: it may have been cut off. A boot configuration may be
behind the last image only.

On an error the exit code is 1 and FILE is as it was; wrong usage exits with 2.

Options:
`

func runConcat(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packer concat", flag.ContinueOnError)
	out := flags.String("out", "", "write the image to `FILE`")
	if err := cli.ParseFlags(flags, concatHelp, args); err != nil {
		return err
	}
	switch {
	case *out == "":
		return cli.UsageFault(flags, "no --out FILE")
	case flags.NArg() == 0:
		return cli.UsageFault(flags, "no IMAGE")
	}
	return write.Concat(ctx, flags.Args(), *out, func(message string) {
		fmt.Fprintln(os.Stderr, "packer: warning:", message)
	})
}
