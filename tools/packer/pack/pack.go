package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/compress"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/list"
)

// Options say what to pack and how.
type Options struct {
	ReadOptions
	ArchiveOptions
	// Lists are the names of the lists and directories, packed one after the other.
	Lists []string
	// Out is the name of the archive to write.
	Out string
	// Perm is the mode of the archive on disk; 0 is 0644.
	Perm fs.FileMode
	// ListOut is the name of the completed list to write, or empty.
	ListOut string
	// DepsOut is the name of a makefile to write, or empty: it says that Deps are
	// what the archive depends on, as WriteDeps has it.
	DepsOut string
	Deps    []string
	// Method is how the archive is compressed.
	Method compress.Method
	// SegmentSize is how many bytes of the archive make a segment, which is
	// compressed by itself; 0 makes the whole archive one.
	SegmentSize int64
	// Jobs is how many segments are compressed at once, 1 at least. The bytes do not
	// depend on it.
	Jobs int
	// Parents adds missing parent directories.
	Parents bool
}

// Run packs. On an error, and when ctx ends, no output has its name.
func Run(ctx context.Context, opts Options) error {
	entries, err := readSources(opts)
	if err != nil {
		return err
	}
	entries, err = Complete(entries, opts.Parents)
	if err != nil {
		return err
	}
	return Write(ctx, entries, opts)
}

// readSources reads lists and directories in their order.
func readSources(opts Options) ([]*list.Entry, error) {
	if opts.Directives { // what the rules generate names no directories
		return Read(opts.Lists, opts.ReadOptions)
	}
	var all []*list.Entry
	var faults []error
	for _, name := range opts.Lists {
		var entries []*list.Entry
		var err error
		if isDir(name) {
			entries, _, err = ReadDirectory(name, Owners{})
		} else {
			entries, err = Read([]string{name}, opts.ReadOptions)
		}
		all = append(all, entries...)
		faults = append(faults, err)
	}
	return all, errors.Join(faults...)
}

// Write writes the outputs that the options name; the entries are packed as they
// are. On an error, and when ctx ends, no output has its name.
func Write(ctx context.Context, entries []*list.Entry, opts Options) error {
	outputs := make([]*output, 0, 3)
	defer func() {
		for _, o := range outputs {
			o.discard()
		}
	}()
	write := func(name string, perm fs.FileMode, content func(io.Writer) error) error {
		o, err := createOutput(name)
		if err != nil {
			return &writeError{err}
		}
		if perm != 0 {
			o.perm = perm
		}
		for _, other := range outputs {
			if o.temporary != "" && o.name == other.name {
				o.discard()
				return &writeError{fmt.Errorf("%s is to be both the archive and its list", o.name)}
			}
		}
		outputs = append(outputs, o)
		if err := content(contextWriter{ctx, o}); err != nil {
			return err
		}
		if err := o.finish(); err != nil {
			return &writeError{err}
		}
		return nil
	}

	err := write(opts.Out, opts.Perm, func(w io.Writer) error {
		z, err := opts.compressor(w)
		if err != nil {
			return err
		}
		err = WriteArchive(z, entries, opts.ArchiveOptions)
		// Closed on an error too: a codec has goroutines to end.
		if closeErr := z.Close(); err == nil {
			err = closeErr
		}
		return err
	})
	if err == nil && opts.ListOut != "" {
		err = write(opts.ListOut, 0, func(w io.Writer) error { return WriteList(w, entries) })
	}
	if err == nil && opts.DepsOut != "" {
		err = write(opts.DepsOut, 0, func(w io.Writer) error { return WriteDeps(w, opts.Deps) })
	}
	if err != nil {
		return err
	}
	for _, o := range outputs {
		if err := o.commit(); err != nil {
			return &writeError{err}
		}
	}
	return nil
}

// compressor returns what compresses the archive to w.
func (o *Options) compressor(w io.Writer) (io.WriteCloser, error) {
	if o.SegmentSize == 0 || !o.Method.Compresses() {
		return o.Method.NewWriter(w)
	}
	return compress.NewSegmentWriter(w, o.Method, o.SegmentSize, o.Jobs), nil
}

// WriteList writes the entries as a list, with a comment before those of each
// target.
func WriteList(w io.Writer, entries []*list.Entry) error {
	origin := ""
	for _, e := range entries {
		if e.Pos.Origin != origin {
			origin = e.Pos.Origin
			if _, err := fmt.Fprintf(w, "# %s\n", origin); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w, e); err != nil {
			return err
		}
	}
	return nil
}

// writeError is a failure to write an output.
type writeError struct{ err error }

func (e *writeError) Error() string { return "cannot write: " + e.err.Error() }

func (e *writeError) Unwrap() error { return e.err }

// contextWriter writes to an output and fails once its context has ended.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (w contextWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, &writeError{err}
	}
	n, err := w.w.Write(p)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}
