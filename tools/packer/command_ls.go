package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// listing is what packer ls was asked for.
type listing struct {
	names, members, json bool
	out                  string
}

func lsCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:        "ls [OPTION...] IMAGE [PATH...]",
		GroupID:    groupRead,
		SuggestFor: []string{"list", "show", "dir"},
		Short:      "List the entries of an image",
		Long: `List the entries of an image in order. With PATHs, list only these entries and everything
below them. "-" is standard input. A line has the type and permissions, the number of
links, the owner and group, the size in bytes or the numbers of a device, the time in UTC,
and the name. In a name, \ooo (three octal digits) is a byte: \040 is a space.

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
		flags.BoolVar(&l.json, "json", false, "Print one JSON object per line")
		flags.BoolVar(&l.members, "members", false, "Print the members of the image, each of which was compressed on its own or not at all")
		addOutOption(flags, &l.out, "")
	})
	return cmd
}

func (l *listing) run(ctx context.Context, name string, paths []string) error {
	show := printLong
	switch {
	case l.members:
		show = func(io.Writer, *image.Entry) error { return nil }
	case l.names:
		show = printName
	case l.json:
		show = printJSON
	}
	wanted := newPathFilter(paths)
	return writeResults(ctx, l.out, func(out io.Writer) error {
		img, err := walkImage(ctx, name, func(_ *image.Reader, e *image.Entry) error {
			if !wanted.has(e.Name) {
				return nil
			}
			return show(out, e)
		})
		if err != nil {
			return err
		}
		if l.members {
			printMembers(out, img.Members(), l.json)
		}
		return wanted.missing(name)
	})
}

// printName prints a name, unambiguous and safe for a terminal.
func printName(w io.Writer, e *image.Entry) error {
	_, err := fmt.Fprintln(w, printable(e.Name))
	return err
}

// printLong prints an entry as ls -l would.
func printLong(w io.Writer, e *image.Entry) error {
	size := fmt.Sprint(e.Size)
	if t := e.Type(); t == cpio.TypeBlock || t == cpio.TypeChar {
		size = fmt.Sprintf("%d, %d", e.RMajor, e.RMinor)
	}
	name := printable(e.Name)
	if e.Type() == cpio.TypeSymlink {
		name += " -> " + printable(e.Target)
	}
	_, err := fmt.Fprintf(w, "%s %3d %5d %5d %10s %s %s\n",
		modeString(e.Mode), e.NLink, e.UID, e.GID, size, timeString(e.MTime), name)
	return err
}

func timeString(mtime uint32) string {
	return time.Unix(int64(mtime), 0).UTC().Format(time.DateTime)
}

// modeString formats a mode as ls -l does, with "?" for an unknown type.
func modeString(mode uint32) string {
	s := []byte("?rwxrwxrwx")
	if t, ok := fileTypes[mode&cpio.TypeMask]; ok {
		s[0] = t.letter
	}
	for i := range 9 {
		if mode>>(8-i)&1 == 0 {
			s[1+i] = '-'
		}
	}
	for _, special := range []struct {
		bit    uint32
		at     int
		letter byte
	}{{0o4000, 3, 's'}, {0o2000, 6, 's'}, {0o1000, 9, 't'}} {
		switch {
		case mode&special.bit == 0:
		case s[special.at] == '-':
			s[special.at] = special.letter - 'a' + 'A'
		default:
			s[special.at] = special.letter
		}
	}
	return string(s)
}

// printable escapes a name as a list does, and control characters too.
func printable(name string) string {
	if name == "" {
		return "/"
	}
	name = list.Escape(name)
	if strings.IndexFunc(name, isControl) < 0 && utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for i, r := range name {
		_, n := utf8.DecodeRuneInString(name[i:])
		if isControl(r) || r == utf8.RuneError && n == 1 {
			for _, c := range []byte(name[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// isControl reports whether a terminal may take r as a command.
func isControl(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 }

// jsonEntry has its fields in the order of the output.
type jsonEntry struct {
	Name string `json:"name"`
	// NameBytes is the name if it is not UTF-8, where JSON has no room for it.
	NameBytes []byte  `json:"name_bytes,omitempty"`
	Type      string  `json:"type"`
	Mode      string  `json:"mode"`
	UID       uint32  `json:"uid"`
	GID       uint32  `json:"gid"`
	NLink     uint32  `json:"nlink"`
	Size      int64   `json:"size"`
	MTime     uint32  `json:"mtime"`
	Target    *string `json:"target,omitempty"`
	// TargetBytes is the target if it is not UTF-8.
	TargetBytes []byte  `json:"target_bytes,omitempty"`
	DevType     string  `json:"dev_type,omitempty"`
	Major       *uint32 `json:"maj,omitempty"`
	Minor       *uint32 `json:"min,omitempty"`
	Ino         uint32  `json:"ino"`
	Member      int     `json:"member"`
}

func printJSON(w io.Writer, e *image.Entry) error {
	j := jsonEntry{
		Name: e.Name, NameBytes: bytesUnlessUTF8(e.Name), Type: fileTypes[e.Type()].word, Mode: fmt.Sprintf("%04o", e.Mode&^cpio.TypeMask),
		UID: e.UID, GID: e.GID, NLink: e.NLink, Size: e.Size, MTime: e.MTime, Ino: e.Ino, Member: e.Member + 1,
	}
	switch e.Type() {
	case cpio.TypeSymlink:
		j.Target, j.TargetBytes = &e.Target, bytesUnlessUTF8(e.Target)
	case cpio.TypeBlock, cpio.TypeChar:
		j.DevType, j.Major, j.Minor = string(fileTypes[e.Type()].letter), &e.RMajor, &e.RMinor
	}
	return encodeJSON(w, j)
}

func bytesUnlessUTF8(text string) []byte {
	if utf8.ValidString(text) {
		return nil
	}
	return []byte(text)
}

func encodeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

func printMembers(w io.Writer, members []image.Member, asJSON bool) {
	if !asJSON {
		fmt.Fprintf(w, "%12s %-6s %12s %12s %6s %8s\n", "OFFSET", "CODEC", "STORED", "UNPACKED", "RATIO", "ENTRIES")
	}
	for _, m := range members {
		if asJSON {
			encodeJSON(w, struct {
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

// pathFilter selects the entries at or below some paths.
type pathFilter struct {
	// args are the paths of the command line; paths are the same, cleaned.
	args, paths []string
	// seen records which paths an entry matched.
	seen []bool
}

func newPathFilter(paths []string) *pathFilter {
	f := &pathFilter{args: paths, seen: make([]bool, len(paths))}
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
	for i, p := range f.args {
		if !f.seen[i] {
			missing = append(missing, fmt.Errorf("%s: no entry %s", img, printable(p)))
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
		if imageErr, ok := errors.AsType[*image.Error](err); ok {
			err = fmt.Errorf("%s: %w", name, imageErr)
		}
		if err != nil {
			return nil, err
		}
	}
	warnCut(img)
	return img, nil
}

// warnCut warns about an image that may be truncated between two records. It is not an
// error, because the kernel unpacks what is there.
func warnCut(img *image.Image) {
	if !img.Trailer() {
		warn(img.Name + ": no trailer at the end: the image may be truncated, which the kernel does not notice")
	}
}
