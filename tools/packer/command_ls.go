package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/payload"
)

// lister is what packer ls was asked for.
type lister struct {
	names, members, json bool
	out                  string
}

func lsCommand() *cobra.Command {
	var l lister
	cmd := &cobra.Command{
		Use:        "ls [OPTION...] IMAGE [PATH...]",
		GroupID:    groupRead,
		SuggestFor: []string{"list", "show", "dir"},
		Short:      "List the entries of an image",
		Long: `List the entries of an image in order. With PATHs, list only these entries and everything
below them. "-" is standard input. Of a unified kernel image, a FIT image or a kernel, the
initramfs image in it is read. A line has the type and permissions, the number of links,
the owner and group, the size in bytes or the numbers of a device, the time in UTC, and the
name. In a name, \ooo (three octal digits) is a byte: \040 is a space.

An image that the kernel would refuse is an error, with exit code 1. Wrong usage exits
with 2.`,
		Example: "packer ls initramfs /etc",
		Args:    cli.Args("IMAGE", "[PATH...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.Exclusive(cmd, "names", "json"); err != nil {
				return err
			}
			if l.members && (l.names || len(args) > 1) {
				return cli.Usagef(cmd, "--members excludes --names and PATH")
			}
			return l.run(cmd.Context(), args[0], args[1:])
		},
	}
	cli.Options(cmd, "Listing", func(flags *pflag.FlagSet) {
		flags.BoolVar(&l.names, "names", false, "Print names only")
		flags.BoolVar(&l.json, "json", false, "Print one JSON object per line, with the SHA-256 of the content of a file")
		flags.BoolVar(&l.members, "members", false, "Print the members of the image, each of which was compressed on its own or not at all")
		addOutOption(flags, &l.out, "")
	})
	return cmd
}

func (l *lister) run(ctx context.Context, name string, paths []string) error {
	show := func(out io.Writer, e *image.Entry, _ io.Reader) error { return listing.Text(out, e) }
	switch {
	case l.members:
		show = func(io.Writer, *image.Entry, io.Reader) error { return nil }
	case l.names:
		show = printName
	case l.json:
		show = printJSON
	}
	wanted := newPathFilter(paths)
	return writeResults(ctx, l.out, func(out io.Writer) error {
		img, err := payload.Open(ctx, name)
		if err != nil {
			return err
		}
		defer img.Close()
		for {
			e, err := img.Next()
			if err == io.EOF {
				break
			}
			if err == nil && wanted.has(e.Name) {
				err = show(out, e, img)
			}
			if imageErr, ok := errors.AsType[*image.Error](err); ok {
				err = fmt.Errorf("%s: %w", name, imageErr)
			}
			if err != nil {
				return err
			}
		}
		warnCut(img)
		if l.members {
			printMembers(out, img.Members(), l.json)
		}
		return wanted.missing(name)
	})
}

// printName prints a name, unambiguous and safe for a terminal.
func printName(w io.Writer, e *image.Entry, _ io.Reader) error {
	_, err := fmt.Fprintln(w, listing.Printable(e.Name))
	return err
}

func printJSON(w io.Writer, e *image.Entry, content io.Reader) error {
	digest, err := listing.Digest(e, content)
	if err != nil {
		return err
	}
	return listing.JSON(w, e, digest, "", "")
}

func printMembers(w io.Writer, members []image.Member, asJSON bool) {
	if !asJSON {
		fmt.Fprintf(w, "%12s %-6s %12s %12s %6s %8s\n", "OFFSET", "CODEC", "STORED", "UNPACKED", "RATIO", "ENTRIES")
	}
	for _, m := range members {
		if asJSON {
			listing.EncodeJSON(w, struct {
				Offset   int64    `json:"offset"`
				Codec    string   `json:"codec"`
				Filters  []string `json:"filters,omitempty"`
				Stored   int64    `json:"stored"`
				Unpacked int64    `json:"unpacked"`
				Entries  int      `json:"entries"`
			}(m))
			continue
		}
		ratio := float64(m.Unpacked) / float64(m.Stored)
		fmt.Fprintf(w, "%12d %-6s %12d %12d %6.2f %8d\n", m.Offset, m.Codec, m.Stored, m.Unpacked, ratio, m.Entries)
	}
}

// pathFilter selects the entries at or below some paths.
type pathFilter struct {
	// args are the paths of the command line; paths are the same, cleaned.
	args, paths []string
	// seen records which paths an entry matched.
	seen []bool
}

func newPathFilter(args []string) *pathFilter {
	f := &pathFilter{args: args, seen: make([]bool, len(args))}
	for _, p := range args {
		f.paths = append(f.paths, kernel.CleanPath(p))
	}
	return f
}

func (f *pathFilter) has(name string) bool {
	found := len(f.paths) == 0
	name = kernel.CleanPath(name)
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
	for i, p := range f.args {
		if !f.seen[i] {
			missing = append(missing, fmt.Errorf("%s: no entry %s", img, listing.Printable(p)))
		}
	}
	return errors.Join(missing...)
}
