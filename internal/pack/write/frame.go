package write

import (
	"context"
	"io"
)

// frame is what goes around an archive: early archives in front of it, a boot
// configuration behind.
type frame struct {
	front []*early
	// behind is the data of a boot configuration, or nil.
	behind []byte
	// align is what the archive begins at a multiple of.
	align int64
}

// openFrame opens what the options name, and checks it.
func openFrame(ctx context.Context, opts *Options) (*frame, error) {
	f := &frame{align: 4}
	if !opts.Method.Compresses() {
		// Contents are aligned from the beginning of the archive on.
		f.align = max(f.align, int64(opts.Align))
	}
	for _, name := range opts.Prepend {
		e, err := openEarly(ctx, name)
		if err != nil {
			f.close()
			return nil, err
		}
		f.front = append(f.front, e)
	}
	if opts.Bootconfig != "" {
		var err error
		if f.behind, err = readBootconfigData(opts.Bootconfig); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

func (f *frame) close() {
	for _, e := range f.front {
		e.file.Close()
	}
}

// write writes the archive with what goes around it.
func (f *frame) write(ctx context.Context, w io.Writer, archive func(io.Writer) error) error {
	if f.front == nil && f.behind == nil {
		return archive(w)
	}
	c := &countingWriter{w: w}
	for i, e := range f.front {
		align := int64(4)
		if i == len(f.front)-1 {
			align = f.align
		}
		if err := e.writeTo(ctx, c); err != nil {
			return err
		}
		if err := writeZeros(c, -c.n&(align-1)); err != nil {
			return err
		}
	}
	if err := archive(c); err != nil || f.behind == nil {
		return err
	}
	return writeBootconfig(c, f.behind, c.n)
}

// countingWriter counts the bytes that are written.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// ReadFrom lets the system copy where the writer below can.
func (c *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.w, r)
	c.n += n
	return n, err
}
