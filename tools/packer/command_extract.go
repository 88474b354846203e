package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/image/unpack"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/payload"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

func extractCommand() *cobra.Command {
	var skip bool
	cmd := &cobra.Command{
		Use:        "extract [OPTION...] IMAGE DIR",
		GroupID:    groupRead,
		SuggestFor: []string{"unpack", "x"},
		Short:      "Unpack an image into a directory",
		Long: `Unpack an image into DIR, which must be new or empty. "-" is standard input. Of a
unified kernel image, a FIT image or a kernel, the initramfs image in it is unpacked. DIR
gets what a kernel has in its root directory after it has unpacked the image. Nothing is
written outside DIR: names and symbolic links lead where they lead with DIR as the root
directory.

Only root can set owners and create device nodes. Everything that is not extracted is
reported, including entries that the kernel would drop, and the exit code is 1. After an
error, the exit code is 1 and DIR is unchanged. Wrong usage exits with 2.`,
		Example: "packer extract --skip-special initramfs rootfs",
		Args:    cli.Args("IMAGE", "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return extract(cmd.Context(), args[0], args[1], skip)
		},
	}
	cli.Options(cmd, "Extraction", func(flags *pflag.FlagSet) {
		flags.BoolVar(&skip, "skip-special", false,
			"Accept that this user cannot set owners or create device nodes: do not report them, and exit with 0")
	})
	return cmd
}

// extract unpacks an image and reports what is lost. With skip, owners and device nodes may
// be.
func extract(ctx context.Context, name, dir string, skip bool) error {
	img, err := payload.Open(ctx, name)
	if err != nil {
		return err
	}
	defer img.Close()
	var losses [3]int
	err = unpack.Extract(img.Reader, dir, func(loss unpack.Loss, entry, reason string) {
		switch {
		case loss != unpack.LossDropped && skip:
			return
		case loss != unpack.LossOwner: // these may be all entries
			fmt.Fprintf(os.Stderr, "packer: %s: %s is left out: %s\n", printable.Text(name), listing.Printable(entry), printable.Text(reason))
		}
		losses[loss]++
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	warnCut(img)
	var lost []string
	for loss, what := range [...][3]string{
		unpack.LossDropped: {"", "entry", "entries"},
		unpack.LossNode:    {"", "device node", "device nodes"},
		unpack.LossOwner:   {"the owners of ", "entry", "entries"},
	} {
		if losses[loss] > 0 {
			lost = append(lost, what[0]+count(losses[loss], what[1], what[2]))
		}
	}
	if lost == nil {
		return nil
	}
	hint := ""
	if losses[unpack.LossDropped] == 0 {
		hint = "; --skip-special accepts that"
	}
	return fmt.Errorf("%s is not complete in %s: left out: %s%s", name, dir, strings.Join(lost, ", "), hint)
}
