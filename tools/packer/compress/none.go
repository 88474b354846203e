package compress

import "io"

// newNoneWriter passes everything on: the kernel takes a bare archive too.
func newNoneWriter(w io.Writer, _ int) (io.WriteCloser, error) { return nopCloser{w}, nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
