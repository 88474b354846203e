package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
)

const lsHelp = `Usage: packer ls [OPTION...] IMAGE [PATH...]

Lists what is in an image, in its order; with PATHs only those and what is below
them. "-" is standard input. A line has the type and permissions, the number of
names, owner and group, the size in bytes or a device's numbers, the time in UTC,
and the name. In a name \ooo (three octal digits) stands for a byte: \040 is a
blank.

What the kernel would refuse is an error, and exits with 1; wrong usage exits
with 2.

Options:
`

func runLs(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packer ls", flag.ContinueOnError)
	names := flags.Bool("names", false, "print names only")
	asJSON := flags.Bool("json", false, "print a JSON object a line")
	segments := flags.Bool("segments", false, "print a line for each member: what was compressed, or not compressed, on its own")
	outName := addOutFlag(flags, "")
	if err := cli.ParseFlags(flags, lsHelp, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() == 0:
		return cli.UsageFault(flags, "no IMAGE")
	case *segments && (*names || flags.NArg() > 1):
		return cli.UsageFault(flags, "--segments goes with neither --names nor PATH")
	case *names && *asJSON:
		return cli.UsageFault(flags, "--names and --json exclude each other")
	}

	show := listing.Text
	switch {
	case *segments:
		show = func(io.Writer, *image.Entry) error { return nil }
	case *names:
		show = printName
	case *asJSON:
		show = func(out io.Writer, e *image.Entry) error { return listing.JSON(out, e, "") }
	}
	wanted := newPathFilter(flags.Args()[1:])
	return writeResults(ctx, *outName, func(out io.Writer) error {
		img, err := walkImage(ctx, flags.Arg(0), func(_ *image.Reader, e *image.Entry) error {
			if !wanted.has(e.Name) {
				return nil
			}
			return show(out, e)
		})
		if err != nil {
			return err
		}
		if *segments {
			printMembers(out, img.Members(), *asJSON)
		}
		return wanted.missing(flags.Arg(0))
	})
}

// printName prints a name that can be told from others and does no harm to a terminal.
func printName(w io.Writer, e *image.Entry) error {
	_, err := fmt.Fprintln(w, listing.Printable(e.Name))
	return err
}

func printMembers(w io.Writer, members []image.Member, asJSON bool) {
	if !asJSON {
		fmt.Fprintf(w, "%12s %-6s %12s %12s %6s %8s\n", "OFFSET", "CODEC", "STORED", "UNPACKED", "RATIO", "ENTRIES")
	}
	for _, m := range members {
		if asJSON {
			listing.EncodeJSON(w, struct {
				Offset   int64  `json:"offset"`
				Codec    string `json:"codec"`
				Stored   int64  `json:"stored"`
				Unpacked int64  `json:"unpacked"`
				Entries  int    `json:"entries"`
			}{m.Offset, m.Codec, m.Stored, m.Unpacked, m.Entries})
			continue
		}
		fmt.Fprintf(w, "%12d %-6s %12d %12d %6.2f %8d\n", m.Offset, m.Codec, m.Stored, m.Unpacked,
			float64(m.Unpacked)/float64(m.Stored), m.Entries)
	}
}

// pathFilter chooses the entries that are named, or below one that is.
type pathFilter struct {
	// given are the paths as they were given; paths, as they are compared.
	given, paths []string
	// seen tells of each path whether an entry matched.
	seen []bool
}

func newPathFilter(paths []string) *pathFilter {
	f := &pathFilter{given: paths, seen: make([]bool, len(paths))}
	for _, p := range paths {
		f.paths = append(f.paths, kernel.CleanPath(p))
	}
	return f
}

func (f *pathFilter) has(name string) bool {
	if len(f.paths) == 0 {
		return true
	}
	name = kernel.CleanPath(name)
	found := false
	for i, p := range f.paths {
		if name == p || p == "/" || strings.HasPrefix(name, p+"/") {
			f.seen[i], found = true, true
		}
	}
	return found
}

// missing reports the paths that no entry matched.
func (f *pathFilter) missing(img string) error {
	var missing []error
	for i, p := range f.given {
		if !f.seen[i] {
			missing = append(missing, fmt.Errorf("%s: no entry %s", img, listing.Printable(p)))
		}
	}
	return errors.Join(missing...)
}

// walkImage visits each entry of the image in a file, and closes it.
func walkImage(ctx context.Context, name string, visit func(*image.Reader, *image.Entry) error) (*image.Image, error) {
	img, err := image.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	for {
		e, err := img.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = visit(img.Reader, e)
		}
		if fault, ok := errors.AsType[*image.Error](err); ok {
			err = fmt.Errorf("%s: %w", name, fault)
		}
		if err != nil {
			return nil, err
		}
	}
	warnCut(img)
	return img, nil
}

// warnCut warns of an image that may have been cut off between two records: no
// error, for the kernel unpacks what is there.
func warnCut(img *image.Image) {
	if !img.Trailer() {
		fmt.Fprintf(os.Stderr, "packer: warning: %s: no trailer at its end: it may have been cut off, which the kernel does not see\n", img.Name)
	}
}
