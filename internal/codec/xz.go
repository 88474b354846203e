package codec

import (
	"io"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// xzDictionary is the window that the kernel's build writes with, in bytes
// (scripts/Makefile.lib).
const xzDictionary = 1 << 20

// newXZWriter writes one block with CRC32, the only check that lib/xz has.
func newXZWriter(w io.Writer, _ int) (io.WriteCloser, error) {
	below := &stickyWriter{w: w}
	z, err := xz.WriterConfig{
		DictCap:  xzDictionary,
		CheckSum: xz.CRC32,
		Matcher:  lzma.HashTable4,
	}.NewWriter(below)
	if err != nil {
		return nil, err
	}
	return &xzWriter{z, below}, nil
}

// xzWriter looks for an error below, which the library's Close may forget.
type xzWriter struct {
	z     *xz.Writer
	below *stickyWriter
}

func (w *xzWriter) Write(p []byte) (int, error) {
	if w.below.err != nil {
		return 0, w.below.err
	}
	return w.z.Write(p)
}

func (w *xzWriter) Close() error {
	if w.below.err != nil {
		return w.below.err
	}
	err := w.z.Close()
	if w.below.err != nil {
		return w.below.err
	}
	return err
}

// stickyWriter keeps the first error of w and writes nothing behind it.
type stickyWriter struct {
	w   io.Writer
	err error
}

func (s *stickyWriter) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}
