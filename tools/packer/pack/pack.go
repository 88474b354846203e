package pack

import (
	"context"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/compress"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/list"
)

// Options say what to pack and how.
type Options struct {
	ReadOptions
	// Lists are the names of the lists, packed one after the other.
	Lists []string
	// Out is the name of the archive to write.
	Out string
	// ListOut is the name of the completed list to write, or empty.
	ListOut string
	// Method is how the archive is compressed.
	Method compress.Method
	// MTime is the time of every entry, in seconds since 1970.
	MTime uint32
	// Parents adds missing parent directories.
	Parents bool
}

// Run packs. On an error, and when ctx ends, no output has its name.
func Run(ctx context.Context, opts Options) error {
	entries, err := Read(opts.Lists, opts.ReadOptions)
	if err != nil {
		return err
	}
	entries, err = Complete(entries, opts.Parents)
	if err != nil {
		return err
	}

	outputs := make([]*output, 0, 2)
	defer func() {
		for _, o := range outputs {
			o.discard()
		}
	}()
	write := func(name string, content func(io.Writer) error) error {
		o, err := createOutput(name)
		if err != nil {
			return &writeError{err}
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

	err = write(opts.Out, func(w io.Writer) error {
		z, err := opts.Method.NewWriter(w)
		if err != nil {
			return err
		}
		err = WriteArchive(z, entries, opts.MTime)
		// Closed on an error too: a codec has goroutines to end.
		if closeErr := z.Close(); err == nil {
			err = closeErr
		}
		return err
	})
	if err == nil && opts.ListOut != "" {
		err = write(opts.ListOut, func(w io.Writer) error { return WriteList(w, entries) })
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
