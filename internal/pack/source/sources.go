// Package source reads lists, directories and archives into entries.
package source

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// Options say how sources are read.
type Options struct {
	// Vars, Kernel and Directives say how lists are read, as in list.Options.
	Vars               map[string]string
	Kernel, Directives bool
	// Parents says that missing parent directories will be added to what is read.
	Parents bool
	// Whiteouts is what becomes of the whiteouts in archives and directories; empty is
	// WhiteoutsError.
	Whiteouts string
	// Owner owns everything in directories; nil is whoever does on disk.
	Owner *Owner
}

// Owner is a user and a group.
type Owner struct{ UID, GID uint32 }

// ReadLists reads the lists with these file names one after the other; "-" is standard
// input. Errors of several lines are reported together.
func ReadLists(ctx context.Context, names []string, opts Options) ([]*list.Entry, error) {
	r := &reader{ctx: ctx, opts: opts}
	for _, name := range names {
		r.readTop(name, nil)
	}
	return r.Entries, r.errors.Err()
}

// ReadLayer reads the completed list of a layer.
func ReadLayer(name string) (*Sources, error) {
	r := &reader{ctx: context.Background(), opts: Options{Directives: true}}
	r.readTop(name, nil)
	return &r.Sources, r.errors.Err()
}

type reader struct {
	Sources
	ctx    context.Context
	opts   Options
	errors list.Errors
	// readArchive reads the archive of that name; nil where there can be none.
	readArchive func(name string) ([]*list.Entry, error)

	// origin has what the directives since the last origin said.
	origin origin
	open   openLibraries
}

// readTop reads a list that the caller named, from in if that is not nil.
func (r *reader) readTop(name string, in io.Reader) {
	opts := list.Options{Name: name, Vars: r.opts.Vars, Kernel: r.opts.Kernel, Directives: r.opts.Directives}
	r.read(in, opts, r.add)
	r.endOrigin()
	if l := r.open.Libraries; l != nil {
		r.errors.Add(l.Errorf("the list ends before its sources do"))
		r.endLibraries(l.Directive)
	}
}

func (r *reader) add(e *list.Entry) {
	r.Entries = append(r.Entries, e)
	if n := len(r.Members); n > 0 {
		r.Members[n-1].Entries++
	}
}

func (r *reader) read(in io.Reader, opts list.Options, take func(*list.Entry)) {
	switch {
	case in != nil:
	case opts.Name == "-":
		in = interrupt.Reader(r.ctx, os.Stdin)
	default:
		file, err := interrupt.Open(r.ctx, opts.Name)
		if err != nil {
			r.errors.Add(fmt.Errorf("cannot read the list: %w", err))
			return
		}
		defer file.Close()
		in = interrupt.Reader(r.ctx, file)
	}
	for p := list.NewParser(in, opts); ; {
		e, d, err := p.Next()
		var inList *list.Error
		switch {
		case err == io.EOF:
			return
		case errors.As(err, &inList):
			r.errors.Add(err)
		case err != nil:
			r.errors.Add(fmt.Errorf("cannot read the list %s: %w", opts.Name, err))
			return
		case d != nil:
			r.direct(d)
		default:
			take(e)
		}
	}
}

// Sources are the entries of lists, directories and archives.
type Sources struct {
	Entries []*list.Entry
	Changes Changes
	// Libraries are from what programs among the entries get what they need.
	Libraries []*Libraries
	// ModuleCatalogs are the names of the files that say which kernel modules the entries have.
	ModuleCatalogs []string
	// Members are those of the archive of a layer, of its completed list.
	Members []list.Member

	// inputs are the directives that name archives and lists.
	inputs []*list.Directive
	// files are the archives that contents are read from.
	files []*os.File
	spool spool
}

// Open reads what the names lead to, one after the other. A directory gives
// everything that is in it. Of a file, the first bytes say what it is, and the name does not:
// an image as image.Reader reads it, a tar archive, compressed or not, a Debian package, and
// else a list; "-" is standard input. The contents of what is compressed are kept in a
// temporary file without a name, so that memory does not grow with them.
//
// Close must be called after the last use of the entries. Reading ends when ctx does.
func Open(ctx context.Context, names []string, opts Options) (*Sources, error) {
	r := &reader{ctx: ctx, opts: opts}
	s := &r.Sources
	r.readArchive = func(name string) ([]*list.Entry, error) {
		return s.readFile(ctx, name, opts.Parents, func(io.Reader) ([]*list.Entry, error) {
			return nil, fmt.Errorf("%s: not an archive: want cpio (newc) or tar, compressed or not, or a Debian package", name)
		})
	}
	for _, name := range names {
		var entries []*list.Entry
		var err error
		if isDir(name) {
			entries, _, err = ReadDirectory(name, Owners{})
			for _, e := range entries {
				if opts.Owner != nil {
					e.UID, e.GID = opts.Owner.UID, opts.Owner.GID
				}
			}
		} else {
			entries, err = s.readFile(ctx, name, opts.Parents, func(in io.Reader) ([]*list.Entry, error) {
				r.readTop(name, in)
				return nil, nil
			})
		}
		r.errors.Add(cmp.Or(err, r.addArchive(entries, 0, opts.Whiteouts, func(format string, args ...any) error {
			return &list.Error{Pos: list.Pos{File: name}, Err: fmt.Errorf("--whiteouts: %w", fmt.Errorf(format, args...))}
		})))
	}
	if err := r.errors.Err(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the files that contents are read from.
func (s *Sources) Close() error {
	errs := []error{s.spool.close()}
	for _, file := range s.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// readFile reads an archive, or what asList reads.
func (s *Sources) readFile(ctx context.Context, name string, parents bool, asList func(io.Reader) ([]*list.Entry, error)) ([]*list.Entry, error) {
	file := os.Stdin
	if name != "-" {
		var err error
		if file, err = interrupt.Open(ctx, name); err != nil {
			return nil, Unreadable(name, err)
		}
		s.files = append(s.files, file)
	}
	in := bufio.NewReaderSize(interrupt.Reader(ctx, file), 64<<10)
	prefix, err := in.Peek(tarBlock)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	var read func(*archive) error
	switch {
	case bytes.HasPrefix(prefix, []byte(arMagic)):
		read = (*archive).readDeb
	case isTarHeader(prefix):
		read = func(a *archive) error { return a.readTar(nil) }
	case bytes.HasPrefix(prefix, []byte("0707")), len(prefix) > 0 && prefix[0] == 0:
		read = (*archive).readImage
	case codec.DetectFile(prefix) != "":
		read = (*archive).readCompressed
	default:
		if err := notList(in); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return asList(in)
	}
	a := &archive{ctx: ctx, parents: parents, spool: &s.spool, pos: list.Pos{File: name}}
	a.errors.Pos = a.pos
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && name != "-" {
		a.file, a.size = file, info.Size()
	} else {
		// It is read twice: for what it is, and for what is in it.
		kept, err := s.spool.keep(in, unlimited)
		if err != nil {
			return nil, a.fail(err)
		}
		a.file, a.size = kept, kept.Size()
	}
	if err := read(a); err != nil {
		return nil, err
	}
	return a.entries, a.errors.Err()
}

type archive struct {
	ctx context.Context
	// parents says that missing parent directories will be added.
	parents bool
	pos     list.Pos
	file    io.ReaderAt
	size    int64
	spool   *spool

	entries []*list.Entry
	errors  list.Errors
}

// readImage reads an image that has no boot configuration.
func (a *archive) readImage() error {
	switch _, n, err := image.FindBootconfig(a.file, a.size); {
	case n > 0 || err == image.ErrBootconfig:
		return a.fail(errors.New("the image ends with a boot configuration, which would be lost: " +
			"remove it with packer bootconfig --remove; --bootconfig gives the new image one"))
	case err != nil:
		return a.fail(err)
	}
	return a.readCpio()
}

// readCompressed finds out what is compressed. A tar archive is decompressed as programs
// do it, and an image as the kernel does.
func (a *archive) readCompressed() error {
	z, err := codec.NewFileReader(bufio.NewReaderSize(a.input(), 64<<10))
	if err != nil {
		return a.fail(err)
	}
	defer z.Close()
	content := bufio.NewReaderSize(z, 64<<10)
	prefix, err := content.Peek(tarBlock)
	switch {
	case isTarHeader(prefix), len(prefix) == tarBlock && len(bytes.TrimLeft(prefix, "\x00")) == 0:
		return a.readTar(content)
	case bytes.HasPrefix(prefix, []byte("0707")) && z.Codec() == "lz4":
		magic := make([]byte, 2)
		if _, err := a.file.ReadAt(magic, 0); err == nil && codec.Detect(magic) == "" {
			return a.fail(errors.New("an image in lz4's newer frames, which a kernel does not take: compress it with lz4 -l"))
		}
		return a.readImage()
	case bytes.HasPrefix(prefix, []byte("0707")):
		return a.readImage()
	case err != nil && err != io.EOF:
		return a.fail(err)
	}
	if prefix, _ := content.Peek(codec.ForeignSize); codec.Foreign(prefix) != "" {
		return a.fail(fmt.Errorf("compressed, and neither a cpio nor a tar archive, but %s", codec.Foreign(prefix)))
	}
	return a.fail(errors.New("compressed, and neither a cpio nor a tar archive: only archives may be compressed"))
}

// notList returns an error if in, which is not an archive, cannot be a list either.
func notList(in *bufio.Reader) error {
	prefix, _ := in.Peek(codec.ForeignSize)
	if foreign := codec.Foreign(prefix); foreign != "" {
		return fmt.Errorf("neither an archive nor a list, but %s", foreign)
	}
	// The first byte of a line is a letter, # or white space.
	if len(prefix) > 0 && (prefix[0] >= 0x80 || prefix[0] < ' ' && !bytes.Contains([]byte("\t\n\v\f\r"), prefix[:1])) {
		return errors.New("neither a list nor an archive of a known format: want a list, cpio (newc), or tar, compressed or not")
	}
	return nil
}

func (a *archive) input() io.ReadSeeker {
	section := io.NewSectionReader(a.file, 0, a.size)
	return struct {
		io.Reader
		io.Seeker
	}{interrupt.Reader(a.ctx, section), section}
}

func (a *archive) take(t *tree) {
	a.entries = t.entries()
	for _, e := range a.entries {
		e.Pos = a.pos
	}
}

func (a *archive) fail(err error) error {
	if _, ok := errors.AsType[*spoolError](err); ok {
		return err
	}
	return errors.Join(a.errors.Err(), &list.Error{Pos: a.pos, Err: err})
}

// report notes an error of an entry, and reports whether to read on.
func (a *archive) report(name string, err error) bool {
	return a.errors.Add(&list.Error{Pos: a.pos, Err: fmt.Errorf("%s: %w", list.Escape("/"+list.CleanPath(name)[1:]), err)})
}
