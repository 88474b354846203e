package newc

import (
	"fmt"
	"io"
	"strings"
)

// Writer writes an archive, record by record: WriteHeader, then Write until the
// body has the size that the header gave. After an error every call returns it.
type Writer struct {
	w io.Writer
	// offset counts the bytes written; body, those of the current body still to come.
	offset, body int64
	err          error
	buf          []byte
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// WriteHeader ends the record before and begins the next one.
func (w *Writer) WriteHeader(h *Header) error {
	if w.endBody(); w.err != nil {
		return w.err
	}
	switch {
	case len(h.Name) > MaxName || strings.IndexByte(h.Name, 0) >= 0:
		return w.fail(ErrName)
	case h.Size < 0 || h.Size > MaxSize:
		return w.fail(ErrTooLarge)
	}
	w.header(h)
	w.body = h.Size
	return w.err
}

// header writes a record's header and name, padded.
func (w *Writer) header(h *Header) {
	w.buf = fmt.Appendf(w.buf[:0], magic+"%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		h.Ino, h.Mode, h.UID, h.GID, h.NLink, h.MTime, h.Size,
		h.Major, h.Minor, h.RMajor, h.RMinor, len(h.Name)+1, 0)
	w.buf = append(w.buf, h.Name...)
	w.buf = append(w.buf, 0)
	for len(w.buf)%4 != 0 {
		w.buf = append(w.buf, 0)
	}
	w.write(w.buf)
}

// Write writes a part of the current record's body.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	long := int64(len(p)) > w.body
	if long {
		p = p[:w.body]
	}
	n := w.write(p)
	w.body -= int64(n)
	if long {
		w.fail(ErrWriteTooLong)
	}
	return n, w.err
}

// Close ends the archive with its trailer. It does not close what lies below.
func (w *Writer) Close() error {
	if w.endBody(); w.err != nil {
		return w.err
	}
	w.header(&Header{Name: trailer, NLink: 1})
	w.pad(blockSize)
	if w.err != nil {
		return w.err
	}
	w.err = ErrWriteAfterClose
	return nil
}

// endBody checks that the current body is whole, and pads it.
func (w *Writer) endBody() {
	if w.err == nil && w.body > 0 {
		w.fail(ErrShortBody)
	}
	w.pad(4)
}

var zeros [blockSize]byte

// pad writes NULs up to a multiple of align.
func (w *Writer) pad(align int64) {
	if w.err == nil {
		w.write(zeros[:-w.offset&(align-1)])
	}
}

func (w *Writer) write(p []byte) int {
	if w.err != nil || len(p) == 0 {
		return 0
	}
	n, err := w.w.Write(p)
	w.offset += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.fail(err)
	}
	return n
}

func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}
