package write

import (
	"context"
	"fmt"
	"io"
	"io/fs"
)

// outputs are files that get their names together: all of them, or none.
type outputs struct {
	ctx context.Context
	all []*output
}

// write writes an output with the mode perm; 0 is 0644.
func (s *outputs) write(name string, perm fs.FileMode, content func(io.Writer) error) error {
	o, err := createOutput(name)
	if err != nil {
		return &writeError{err}
	}
	if perm != 0 {
		o.perm = perm
	}
	for _, other := range s.all {
		if o.temporary != "" && o.name == other.name {
			o.discard()
			return &writeError{fmt.Errorf("%s would be two outputs at once", o.name)}
		}
	}
	s.all = append(s.all, o)
	if err := content(contextWriter{s.ctx, o}); err != nil {
		return err
	}
	if err := o.finish(); err != nil {
		return &writeError{err}
	}
	return nil
}

// commit gives the outputs their names.
func (s *outputs) commit() error {
	if err := s.ctx.Err(); err != nil {
		return &writeError{err}
	}
	for _, o := range s.all {
		if err := o.commit(); err != nil {
			return &writeError{err}
		}
	}
	return nil
}

// discard removes the outputs that do not have their names yet.
func (s *outputs) discard() {
	for _, o := range s.all {
		o.discard()
	}
}

// File writes a file that gets its name when all of it is written. It fails if ctx ends
// before that.
func File(ctx context.Context, name string, content func(io.Writer) error) error {
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	if err := outputs.write(name, 0, content); err != nil {
		return err
	}
	return outputs.commit()
}

// writeError is a failure to write an output.
type writeError struct{ err error }

func (e *writeError) Error() string { return "cannot write: " + e.err.Error() }

func (e *writeError) Unwrap() error { return e.err }

// contextWriter writes to an output and fails after its context has ended.
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
