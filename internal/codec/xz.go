package codec

import (
	"bufio"
	"crypto/sha256"
	"io"

	"github.com/ulikunitz/xz"
	xzlzma "github.com/ulikunitz/xz/lzma"

	"github.com/rules-initramfs/rules_initramfs/internal/codec/lzma"
)

// xzDictionary is the window of the writer, in bytes: that of the kernel's build
// (scripts/Makefile.lib).
const xzDictionary = 1 << 20

// newXZWriter writes one block with a CRC32, the only check that lib/xz verifies.
func newXZWriter(w io.Writer, _ int) (io.WriteCloser, error) {
	under := &stickyWriter{w: w}
	z, err := xz.WriterConfig{
		DictCap:  xzDictionary,
		CheckSum: xz.CRC32,
		Matcher:  xzlzma.HashTable4,
	}.NewWriter(under)
	if err != nil {
		return nil, err
	}
	return &xzWriter{z, under}, nil
}

// xzWriter returns the errors of the underlying writer: the library's Close may lose one.
type xzWriter struct {
	z     *xz.Writer
	under *stickyWriter
}

func (w *xzWriter) Write(p []byte) (int, error) {
	if w.under.err != nil {
		return 0, w.under.err
	}
	return w.z.Write(p)
}

func (w *xzWriter) Close() error {
	if w.under.err != nil {
		return w.under.err
	}
	err := w.z.Close()
	if w.under.err != nil {
		return w.under.err
	}
	return err
}

// stickyWriter keeps the first error of w and writes nothing after it.
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

// xzReader reads one stream as the kernel does, or a file.
type xzReader struct{ lzma.XZReader }

func newXZReader(file bool) *xzReader {
	return &xzReader{lzma.XZReader{File: file, SHA256: sha256.New}}
}

func (z *xzReader) reset(r *bufio.Reader) error { return z.Reset(r) }
