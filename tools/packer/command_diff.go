package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
)

const diffHelp = `Usage: packer diff [OPTION...] A B

Compares the files that a kernel would have that unpacks two images, by name;
how they are compressed, in what order their entries are and which of those a
kernel drops does not matter. A line for each file that differs, sorted:

  + NAME              only B has it
  - NAME              only A has it
  ~ NAME: WHAT, ...   both have it; WHAT is type, content, mode, owner, target,
                      device, links or time, with both values

The last line has the bytes of A and B, and what is between. The exit code is 0
if the images make the same files, 1 if they differ, 2 on errors and wrong
usage.

Options:
`

func runDiff(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packer diff", flag.ContinueOnError)
	noTimes := flags.Bool("ignore-times", false, "do not compare times")
	outName := addOutFlag(flags, ", and exit with 0 if the images differ, too")
	if err := cli.ParseFlags(flags, diffHelp, args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return cli.UsageFault(flags, "want two images")
	}
	// Two models of a million files take half a GiB, and as much again as garbage
	// without this.
	debug.SetGCPercent(30)
	var sides [2]*kernel.Model
	var sizes [2]int64
	for i, name := range flags.Args() {
		model, image, err := readModel(ctx, name, true)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "packer:", err)
			return cli.ErrUsage // its exit code says that there is no answer
		}
		sides[i], sizes[i] = model, image.Size
		if image.Size < 0 {
			sizes[i] = image.Offset()
		}
	}

	differ := false
	err := writeResults(ctx, *outName, func(out io.Writer) error {
		differ = printDifferences(out, sides, *noTimes)
		_, err := fmt.Fprintf(out, "%d -> %d bytes (%+d)\n", sizes[0], sizes[1], sizes[1]-sizes[0])
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "packer:", err)
		return cli.ErrUsage
	}
	if differ && *outName == "" {
		return cli.ErrAnswered
	}
	return nil
}

// printDifferences prints a line for each name that differs, and tells whether any
// does.
func printDifferences(out io.Writer, sides [2]*kernel.Model, noTimes bool) bool {
	differ := false
	links := [2]map[*kernel.File][]string{namesOf(sides[0]), namesOf(sides[1])}
	for _, name := range allNames(sides[0], sides[1]) {
		a, b := sides[0].Files[name], sides[1].Files[name]
		var line string
		switch {
		case a == nil:
			line = "+ " + listing.Printable(name)
		case b == nil:
			line = "- " + listing.Printable(name)
		default:
			changes := compareFiles(a, b, noTimes)
			if !slices.Equal(links[0][a], links[1][b]) {
				changes = append(changes, fmt.Sprintf("links %d -> %d", max(1, len(links[0][a])), max(1, len(links[1][b]))))
			}
			if len(changes) == 0 {
				continue
			}
			line = "~ " + listing.Printable(name) + ": " + strings.Join(changes, ", ")
		}
		differ = true
		fmt.Fprintln(out, line) // what it is written to keeps an error
	}
	return differ
}

// namesOf returns the names of each file that has several, sorted.
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

// allNames returns the names that are in either index, sorted.
func allNames(a, b *kernel.Model) []string {
	names := slices.Collect(maps.Keys(a.Files))
	for name := range b.Files {
		if a.Files[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// compareFiles says what differs.
func compareFiles(a, b *kernel.File, noTimes bool) []string {
	var changes []string
	change := func(differs bool, format string, args ...any) {
		if differs {
			changes = append(changes, fmt.Sprintf(format, args...))
		}
	}
	if a.Type() != b.Type() {
		change(true, "type %s -> %s", typeNames[a.Type()], typeNames[b.Type()])
	} else {
		change(a.Digest != b.Digest && a.Size == b.Size, "content of %d bytes", a.Size)
		change(a.Digest != b.Digest && a.Size != b.Size, "content %d -> %d bytes", a.Size, b.Size)
		change(a.Target != b.Target, "target %s -> %s", listing.Printable(a.Target), listing.Printable(b.Target))
		change(a.RMajor != b.RMajor || a.RMinor != b.RMinor, "device %d,%d -> %d,%d", a.RMajor, a.RMinor, b.RMajor, b.RMinor)
	}
	// The kernel takes no permissions of a symbolic link.
	bothLinks := a.Type() == cpio.TypeSymlink && b.Type() == cpio.TypeSymlink
	change((a.Mode^b.Mode)&^cpio.TypeMask != 0 && !bothLinks, "mode %04o -> %04o", a.Mode&^cpio.TypeMask, b.Mode&^cpio.TypeMask)
	change(a.UID != b.UID || a.GID != b.GID, "owner %d:%d -> %d:%d", a.UID, a.GID, b.UID, b.GID)
	change(a.MTime != b.MTime && !noTimes, "time %s -> %s", listing.Time(a.MTime), listing.Time(b.MTime))
	return changes
}
