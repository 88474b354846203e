// Package interrupt opens and reads files until a context ends, even where the system
// waits for another program: a FIFO, a pipe, a terminal.
package interrupt

import (
	"context"
	"io"
	"os"
)

// Open opens a file for reading. A FIFO waits for its writer.
func Open(ctx context.Context, name string) (*os.File, error) {
	if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
		return os.Open(name)
	}
	return await(ctx, func() (*os.File, error) { return os.Open(name) })
}

// Reader returns a reader of r that fails once ctx has ended. If r is a file that is not
// regular, ctx also ends a read that waits. Then r must not be used again.
func Reader(ctx context.Context, r io.Reader) io.Reader {
	waits := false
	if file, ok := r.(*os.File); ok {
		info, err := file.Stat()
		waits = err != nil || !info.Mode().IsRegular()
	}
	return &reader{ctx: ctx, r: r, waits: waits}
}

type reader struct {
	ctx   context.Context
	r     io.Reader
	waits bool
	// buf is what a read that waits fills: its caller may be gone by then.
	buf []byte
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if !r.waits {
		return r.r.Read(p)
	}
	if len(r.buf) < len(p) {
		r.buf = make([]byte, len(p))
	}
	buf := r.buf[:len(p)]
	n, err := await(r.ctx, func() (int, error) { return r.r.Read(buf) })
	copy(p, buf[:n])
	return n, err
}

// await calls f, and returns without its result if ctx ends before f does.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
