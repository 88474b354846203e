package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

func diffCommand() *cobra.Command {
	var noTimes bool
	var out string
	cmd := &cobra.Command{
		Use:        "diff [OPTION...] A B",
		GroupID:    groupRead,
		SuggestFor: []string{"compare", "cmp"},
		Short:      "Compare the files of two images",
		Long: `Compare the files that exist after a kernel has unpacked each of two images. Compression,
the order of entries, and entries that the kernel drops make no difference. Each file that
differs is one line, sorted by name:

  + NAME              only in B
  - NAME              only in A
  ~ NAME: WHAT, ...   in both; WHAT is type, content, mode, owner, target, device, links
                      or time, with both values

The last line has the sizes of A and B in bytes. The exit code is 0 if the images have the
same files, 1 if they differ, 2 after an error or wrong usage.`,
		Example: "packer diff --ignore-times old.cpio.zst new.cpio.zst",
		Args:    cli.Args("A", "B"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			differ, err := diff(ctx, args, noTimes, out)
			switch {
			case err != nil && ctx.Err() == nil:
				return &cli.ExitError{Code: 2, Err: err} // 1 is an answer
			case err == nil && differ && out == "":
				return cli.ErrReported
			}
			return err
		},
	}
	cli.Options(cmd, "Comparison", func(flags *pflag.FlagSet) {
		flags.BoolVar(&noTimes, "ignore-times", false, "Do not compare times")
		addOutOption(flags, &out, "; exit with 0 even if the images differ")
	})
	return cmd
}

// diff writes how the files of two images differ, and reports whether they do.
func diff(ctx context.Context, names []string, noTimes bool, outName string) (differ bool, err error) {
	// Two models of a million files take half a GiB. Without this, garbage takes as much again.
	debug.SetGCPercent(30)
	var sides [2]*kernel.Model
	var sizes [2]int64
	for i, name := range names {
		model, image, err := readModel(ctx, name, true)
		if err != nil {
			return false, err
		}
		sides[i], sizes[i] = model, image.Size
		if image.Size < 0 {
			sizes[i] = image.Offset()
		}
	}
	err = writeResults(ctx, outName, func(out io.Writer) error {
		differ = printDifferences(out, sides, noTimes)
		_, err := fmt.Fprintf(out, "%d -> %d bytes (%+d)\n", sizes[0], sizes[1], sizes[1]-sizes[0])
		return err
	})
	return differ, err
}

// printDifferences prints a line for each name that differs, and reports whether any does.
func printDifferences(out io.Writer, sides [2]*kernel.Model, noTimes bool) bool {
	differ := false
	links := [2]map[*kernel.File][]string{namesOf(sides[0]), namesOf(sides[1])}
	// Each of the names of a file has the same answer.
	sameLinks := map[[2]*kernel.File]bool{}
	haveSameLinks := func(a, b *kernel.File) bool {
		pair := [2]*kernel.File{a, b}
		if _, known := sameLinks[pair]; !known {
			sameLinks[pair] = slices.Equal(links[0][a], links[1][b])
		}
		return sameLinks[pair]
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(sides[0].Files)), maps.Keys(sides[1].Files))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		a, b := sides[0].Files[name], sides[1].Files[name]
		var line string
		switch {
		case a == nil:
			line = "+ " + listing.Printable(name)
		case b == nil:
			line = "- " + listing.Printable(name)
		default:
			changes := compareFiles(a, b, noTimes)
			if (links[0][a] != nil || links[1][b] != nil) && !haveSameLinks(a, b) {
				changes = append(changes, fmt.Sprintf("links %d -> %d", max(1, len(links[0][a])), max(1, len(links[1][b]))))
			}
			if len(changes) == 0 {
				continue
			}
			line = "~ " + listing.Printable(name) + ": " + strings.Join(changes, ", ")
		}
		differ = true
		fmt.Fprintln(out, line) // out keeps the error
	}
	return differ
}

// namesOf returns the names of each file with several names, sorted.
func namesOf(model *kernel.Model) map[*kernel.File][]string {
	names := map[*kernel.File][]string{}
	for name, f := range model.Files {
		if f.Type() != cpio.TypeDir && f.NLink > 1 {
			names[f] = append(names[f], name)
		}
	}
	for f := range names {
		slices.Sort(names[f])
	}
	return names
}

// compareFiles returns the properties that differ, with both values.
func compareFiles(a, b *kernel.File, noTimes bool) []string {
	var changes []string
	change := func(differs bool, format string, args ...any) {
		if differs {
			changes = append(changes, fmt.Sprintf(format, args...))
		}
	}
	if a.Type() != b.Type() {
		change(true, "type %s -> %s", kind.TypeOf(a.Type()).Name, kind.TypeOf(b.Type()).Name)
	} else {
		change(a.Digest != b.Digest && a.Size == b.Size, "content of %d bytes", a.Size)
		change(a.Digest != b.Digest && a.Size != b.Size, "content %d -> %d bytes", a.Size, b.Size)
		change(a.Target != b.Target, "target %s -> %s", listing.Target(a.Target), listing.Target(b.Target))
		change(a.RMajor != b.RMajor || a.RMinor != b.RMinor, "device %d,%d -> %d,%d", a.RMajor, a.RMinor, b.RMajor, b.RMinor)
	}
	// The kernel ignores the permissions of a symbolic link.
	bothLinks := a.Type() == cpio.TypeSymlink && b.Type() == cpio.TypeSymlink
	change((a.Mode^b.Mode)&^cpio.TypeMask != 0 && !bothLinks, "mode %04o -> %04o", a.Mode&^cpio.TypeMask, b.Mode&^cpio.TypeMask)
	change(a.UID != b.UID || a.GID != b.GID, "owner %d:%d -> %d:%d", a.UID, a.GID, b.UID, b.GID)
	change(a.MTime != b.MTime && !noTimes, "time %s -> %s", listing.Time(a.MTime), listing.Time(b.MTime))
	return changes
}
