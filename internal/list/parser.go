package list

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

const (
	// MaxPath is the longest name, target or location in bytes, without its NUL:
	// the kernel's PATH_MAX counts the NUL, and init/initramfs.c silently
	// skips an entry whose name or target is longer.
	MaxPath = 4095
	// maxPart is the longest part of a name between slashes, in bytes (NAME_MAX).
	maxPart = 255

	// maxLine bounds memory on hostile input. A line has room for a name and some
	// hundred links of any length; the kernel's tool splits it at 8,241 bytes.
	maxLine = 1 << 20
)

// Options say how a list is read.
type Options struct {
	// Name names the list in errors.
	Name string
	// Origin is where the list comes from, or empty.
	Origin string
	// Vars are the values of ${VAR} in locations. The environment is never asked:
	// what a list gives depends on nothing that is not declared.
	Vars map[string]string
	// Kernel reads the list as the kernel's tool does: \ooo is four characters like any
	// others, a dev_type other than b is a character device, and what follows the last
	// field is ignored. These are errors otherwise.
	Kernel bool
	// Directives makes lines that begin with "#:" directives instead of comments.
	Directives bool
	// Locations takes $(location LABEL) for one field.
	Locations bool
}

// Parser reads a list entry by entry.
type Parser struct {
	opts Options
	in   *bufio.Reader
	line int

	// What the directives so far say of the lines after them.
	origin, attribute, producer string
	next                        pending
	// setting is the attribute if the entries after it are what it gives.
	setting string
}

// NewParser returns a parser that reads the list r.
func NewParser(r io.Reader, opts Options) *Parser {
	return &Parser{opts: opts, origin: opts.Origin, in: bufio.NewReaderSize(r, 64<<10)}
}

// Next returns the next entry or, if the options ask for directives, the next
// directive that is not applied to the entries; the other one is nil. At the end the
// error is io.EOF. An error in a line is an *Error, after which Next goes on with the
// line that follows.
func (p *Parser) Next() (*Entry, *Directive, error) {
	for {
		line, err := p.readLine()
		if err == io.EOF {
			if err := p.checkPending(); err != nil {
				return nil, nil, p.error(err)
			}
		}
		if err != nil {
			return nil, nil, err
		}
		if text, ok := strings.CutPrefix(line, "#:"); ok && p.opts.Directives {
			d, err := parseDirective(text)
			applied := false
			if err == nil {
				applied, err = p.apply(d)
			}
			if err != nil {
				return nil, nil, p.error(err)
			}
			if !applied {
				d.Attribute, d.Producer, d.Pos = p.attribute, p.producer, p.pos()
				return nil, d, nil
			}
			continue
		}
		if strings.HasPrefix(line, "#") || strings.TrimLeft(line, " \t\n\v\f\r") == "" {
			continue
		}
		e, err := p.entry(line)
		next := p.next
		p.next = pending{}
		if err != nil {
			return nil, nil, p.entryError(line, err)
		}
		e.Pos, e.MTime, e.Size, e.Digest, e.Added, e.Reason, e.Setting = p.pos(), next.mtime, next.size, next.digest, next.added, next.reason, p.setting
		if e.Kind == File {
			e.Producer = p.producer
		}
		return e, nil, nil
	}
}

func (p *Parser) linePos() Pos { return Pos{Origin: p.origin, File: p.opts.Name, Line: p.line} }

// pos returns the place of what that line says: an origin that a directive names is all
// there is to say, because the list is not the user's.
func (p *Parser) pos() Pos {
	if p.origin != p.opts.Origin {
		return Pos{Origin: p.origin}
	}
	return p.linePos()
}

// error says where err is, unless it does.
func (p *Parser) error(err error) error {
	if placed, ok := err.(*Error); ok {
		return placed
	}
	return &Error{Pos: p.linePos(), Err: err}
}

// entryError says where err is, which is about the entry of a line. If the entry comes from
// a setting, the list is not the user's.
func (p *Parser) entryError(line string, err error) error {
	words := fields(line)
	if p.setting == "" || len(words) < 2 {
		return p.error(err)
	}
	return &Error{Pos: p.pos(), Err: fmt.Errorf("%s: %.80s: %w", p.setting, words[1], err)}
}

func (p *Parser) readLine() (string, error) {
	var (
		long   []byte // the line before chunk, while it is not too long
		length int
	)
	for {
		chunk, err := p.in.ReadSlice('\n')
		ended := err == nil || (err == io.EOF && len(chunk)+length > 0)
		if !ended && !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
		if ended {
			p.line++
			chunk = bytes.TrimSuffix(chunk, []byte("\n"))
		}
		length += len(chunk)
		switch {
		case length > maxLine:
			// Read to its end: what is left of it is not a line.
			if long = nil; ended {
				return "", p.error(fmt.Errorf("line longer than %d bytes", maxLine))
			}
		case !ended:
			long = append(long, chunk...)
		case long == nil:
			return string(chunk), nil
		default:
			return string(append(long, chunk...)), nil
		}
	}
}

// isSpace is C's isspace in the C locale, by which the kernel's tool splits.
func isSpace(c byte) bool { return c == ' ' || ('\t' <= c && c <= '\r') }

func fields(line string) []string {
	return strings.FieldsFunc(line, func(r rune) bool { return r < 0x80 && isSpace(byte(r)) })
}

// joinLocations makes one word of the two of each $(location LABEL).
func joinLocations(words []string) []string {
	for i := 0; i+1 < len(words); i++ {
		if words[i] == "$(location" && strings.HasSuffix(words[i+1], ")") {
			words[i] += " " + words[i+1]
			words = slices.Delete(words, i+1, i+2)
		}
	}
	return words
}

func (p *Parser) entry(line string) (*Entry, error) {
	// The kernel's tool says "unknown file type" to these, drops the line and
	// exits 0.
	if isSpace(line[0]) {
		return nil, errors.New("the line begins with white space: the type must stand in column 1")
	}
	if strings.IndexByte(line, 0) >= 0 {
		return nil, errors.New("the line has a NUL byte in it")
	}
	words := fields(line)
	if p.opts.Locations {
		words = joinLocations(words)
	}
	k, err := kind.Parse(words[0])
	if err != nil {
		return nil, err
	}
	f := &fieldReader{kind: k, words: words[1:], vars: p.opts.Vars, unescape: unescape, kernel: p.opts.Kernel}
	if p.opts.Kernel {
		f.unescape = verbatim
	}
	e := &Entry{Kind: k}
	var mode uint32
	for _, field := range k.Fields() {
		switch field {
		case kind.Name:
			e.Name = f.name("name")
		case kind.Location:
			e.Location = f.location()
		case kind.Target:
			e.Target = f.path("target")
			f.checkLength("target", e.Target)
		case kind.Owner:
			// It may have the bits of the entry's type in it.
			mode = f.number("mode", func(word string) (uint32, error) { return parseMode(word, cpio.TypeMask|permMask) })
			e.Perm = mode & permMask
			e.UID = f.number("uid", func(word string) (uint32, error) { return parseID("uid", word) })
			e.GID = f.number("gid", func(word string) (uint32, error) { return parseID("gid", word) })
		case kind.Device:
			f.device(e)
		case kind.Links:
			for f.err == nil && len(f.words) > 0 {
				if f.words[0][0] == '#' && !p.opts.Kernel {
					return nil, errors.New("a # after the last field would be a hard link: write comments in lines of their own, and the link's name with a slash")
				}
				e.Links = append(e.Links, f.name("hard link"))
			}
		}
	}
	if f.err == nil && len(f.words) > 0 && !p.opts.Kernel {
		f.fail(fmt.Errorf("%q follows the last field: want: %s", f.words[0], k.Usage()))
	}
	if f.err != nil {
		return nil, f.err
	}
	if typ := mode & cpio.TypeMask; typ|e.Mode() != e.Mode() {
		return nil, fmt.Errorf("mode %#o has the type of something else than a %s in it: leave the type out", mode, e.Kind)
	}
	if p.opts.Kernel {
		return e, e.checkRecords()
	}
	return e, e.CheckNames()
}

// fieldReader takes the fields of a line one by one and keeps the first error.
type fieldReader struct {
	kind  Kind
	words []string
	vars  map[string]string
	// unescape undoes the escapes in a field.
	unescape func(string) (string, error)
	// kernel takes any dev_type, as Options.Kernel.
	kernel bool
	err    error
}

func (f *fieldReader) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fieldReader) next(what string) string {
	if f.err != nil {
		return ""
	}
	if len(f.words) == 0 {
		f.fail(fmt.Errorf("too few fields: no %s; want: %s", what, f.kind.Usage()))
		return ""
	}
	word := f.words[0]
	f.words = f.words[1:]
	return word
}

func (f *fieldReader) path(what string) string {
	text, err := f.unescape(f.next(what))
	if err != nil {
		f.fail(fmt.Errorf("%s: %w", what, err))
	}
	return text
}

// name reads a path in the archive and drops one leading slash, which does not
// count: the archive does not hold it.
func (f *fieldReader) name(what string) string {
	name := strings.TrimPrefix(f.path(what), "/")
	f.checkLength(what, name)
	return name
}

func (f *fieldReader) checkLength(what, text string) {
	if len(text) > MaxPath {
		f.fail(fmt.Errorf("the %s has %d bytes, the kernel takes %d at most: %.40s...", what, len(text), MaxPath, text))
	}
}

func (f *fieldReader) location() string {
	text, err := expand(f.next("location"), f.vars, f.unescape)
	if err != nil {
		f.fail(err)
	} else if f.err == nil && text == "" {
		f.fail(errors.New("the location is empty"))
	}
	return text
}

func (f *fieldReader) number(what string, parse func(word string) (uint32, error)) (value uint32) {
	if word := f.next(what); f.err == nil {
		value, f.err = parse(word)
	}
	return value
}

// ParseField reads the value of mode, uid, gid, mtime or size; a mode is permission bits
// only.
func ParseField(field, text string) (uint32, error) {
	switch field {
	case "mode":
		return parseMode(text, permMask)
	case "uid", "gid":
		return parseID(field, text)
	case "mtime", "size":
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("bad %s %q: want a number from 0 to 4294967295", field, text)
		}
		return uint32(n), nil
	}
	return 0, fmt.Errorf("unknown field %q: want mode, uid, gid or mtime", field)
}

func parseMode(word string, most uint64) (uint32, error) {
	mode, err := strconv.ParseUint(word, 8, 32)
	if err != nil || mode > most {
		return 0, fmt.Errorf("bad mode %q: want octal digits such as 0755", word)
	}
	return uint32(mode), nil
}

// parseID reads a user or group: a decimal of 32 bits; -1 is 4294967295, the way
// chown(2) writes "leave it".
func parseID(what, word string) (uint32, error) {
	id, err := strconv.ParseInt(word, 10, 64)
	if err != nil || id < math.MinInt32 || id > math.MaxUint32 {
		return 0, fmt.Errorf("bad %s %q: want a decimal number of 32 bits", what, word)
	}
	return uint32(id), nil
}

// device reads <dev_type> <maj> <min>. The type is one character, and the
// kernel's tool takes a major number that follows it at once, as in c5.
func (f *fieldReader) device(e *Entry) {
	word := f.next("dev_type")
	if f.err != nil {
		return
	}
	if !f.kernel && (word[0] != 'b' && word[0] != 'c' || strings.Trim(word[1:], "0123456789") != "") {
		f.fail(fmt.Errorf("bad dev_type %q: want b for a block device or c for a character device", word))
		return
	}
	e.Block = word[0] == 'b'
	if len(word) > 1 {
		f.words = append([]string{word[1:]}, f.words...)
	}
	e.Major = f.deviceNumber("major number", MaxMajor)
	e.Minor = f.deviceNumber("minor number", MaxMinor)
}

func (f *fieldReader) deviceNumber(what string, most uint32) uint32 {
	return f.number(what, func(word string) (uint32, error) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("bad %s %q: want a decimal number", what, word)
		}
		if uint32(n) > most {
			return 0, fmt.Errorf("%s %d is over %d, the most that the kernel's device numbers hold", what, n, most)
		}
		return uint32(n), nil
	})
}

// checkRecords refuses names that no record can have.
func (e *Entry) checkRecords() error {
	for _, name := range e.Names() {
		switch {
		case name == "" && e.Kind != Dir:
			return errors.New("only a dir can be named /")
		case name == cpio.TrailerName:
			return fmt.Errorf("the kernel takes an entry named %s for the end of the archive", cpio.TrailerName)
		case len(name) > MaxPath:
			return fmt.Errorf("the name has %d bytes, the kernel takes %d at most: %.40s...", len(name), MaxPath, name)
		}
	}
	return nil
}

// CheckNames refuses names that the kernel would not make a file of. With Options.Kernel,
// lists may have some of them: the kernel's tool packs them, and the kernel drops them.
func (e *Entry) CheckNames() error {
	if err := e.checkRecords(); err != nil {
		return err
	}
	for _, name := range e.Names() {
		switch {
		case e.Kind == Dir:
		case CleanPath(name) == "/":
			return errors.New("only a dir can be named /")
		case namesDirectory(name):
			return fmt.Errorf("only a dir can have a name that ends in /, /. or /..: %s", Escape(name))
		}
		for part := range strings.SplitSeq(name, "/") {
			if len(part) > maxPart {
				return fmt.Errorf("a part of the name has %d bytes, the kernel takes %d at most: %.40s...", len(part), maxPart, part)
			}
		}
	}
	return nil
}

// namesDirectory reports whether a path can only be a directory's.
func namesDirectory(name string) bool {
	last := name[strings.LastIndexByte(name, '/')+1:]
	return last == "" || last == "." || last == ".."
}

// Origins reads the completed list r, which errors call name, and returns where its
// entries come from, by their absolute paths.
func Origins(r io.Reader, name string) (map[string]string, error) {
	origins := map[string]string{}
	for p := NewParser(r, Options{Name: name, Directives: true}); ; {
		e, _, err := p.Next()
		switch {
		case err == io.EOF:
			return origins, nil
		case err != nil:
			return nil, err
		case e == nil:
			continue
		}
		for _, name := range e.Names() {
			origins[CleanPath(name)] = e.Pos.Origin
		}
	}
}
