package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
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

	show := printLong
	switch {
	case *segments:
		show = func(io.Writer, *image.Entry) error { return nil }
	case *names:
		show = printName
	case *asJSON:
		show = printJSON
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

// typeLetters are those of ls -l, typeWords those of the list.
var (
	typeLetters = map[uint32]byte{
		cpio.TypeRegular: '-', cpio.TypeDir: 'd', cpio.TypeSymlink: 'l', cpio.TypeChar: 'c',
		cpio.TypeBlock: 'b', cpio.TypePipe: 'p', cpio.TypeSocket: 's',
	}
	typeWords = map[uint32]string{
		cpio.TypeRegular: "file", cpio.TypeDir: "dir", cpio.TypeSymlink: "slink", cpio.TypeChar: "nod",
		cpio.TypeBlock: "nod", cpio.TypePipe: "pipe", cpio.TypeSocket: "sock",
	}
)

// modeString writes a mode as ls -l does, with "?" for a type that there is not.
func modeString(mode uint32) string {
	s := []byte("?rwxrwxrwx")
	if letter, ok := typeLetters[mode&cpio.TypeMask]; ok {
		s[0] = letter
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

// printable writes a name as the list does, and control characters like blanks.
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

// isControl tells whether a terminal may take r as a command.
func isControl(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 }

// jsonEntry has its fields in the order in which they are printed.
type jsonEntry struct {
	Name string `json:"name"`
	// NameBytes is there only if the name is not UTF-8, and is right then.
	NameBytes []byte  `json:"name_bytes,omitempty"`
	Type      string  `json:"type"`
	Mode      string  `json:"mode"`
	UID       uint32  `json:"uid"`
	GID       uint32  `json:"gid"`
	NLink     uint32  `json:"nlink"`
	Size      int64   `json:"size"`
	MTime     uint32  `json:"mtime"`
	Target    *string `json:"target,omitempty"`
	// TargetBytes is to Target what NameBytes is to Name.
	TargetBytes []byte  `json:"target_bytes,omitempty"`
	DevType     string  `json:"dev_type,omitempty"`
	Major       *uint32 `json:"maj,omitempty"`
	Minor       *uint32 `json:"min,omitempty"`
	Ino         uint32  `json:"ino"`
	Segment     int     `json:"segment"`
}

func printJSON(w io.Writer, e *image.Entry) error {
	j := jsonEntry{
		Name: e.Name, NameBytes: bytesUnlessUTF8(e.Name), Type: typeWords[e.Type()], Mode: fmt.Sprintf("%04o", e.Mode&^cpio.TypeMask),
		UID: e.UID, GID: e.GID, NLink: e.NLink, Size: e.Size, MTime: e.MTime, Ino: e.Ino, Segment: e.Member + 1,
	}
	switch e.Type() {
	case cpio.TypeSymlink:
		j.Target, j.TargetBytes = &e.Target, bytesUnlessUTF8(e.Target)
	case cpio.TypeBlock, cpio.TypeChar:
		j.DevType, j.Major, j.Minor = string(typeLetters[e.Type()]), &e.RMajor, &e.RMinor
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
