package cpio

import (
	"encoding/binary"
	"io"
	"strings"
)

// Writer writes an archive record by record: call WriteHeader, then Write until the body
// has the size in the header. After an error, every call returns that error.
type Writer struct {
	// Checksums makes an archive in which the kernel checks the content of regular
	// files by Header.Checksum, which another magic number says. Set it before the
	// first record.
	Checksums bool
	// Align is 0, or a power of two from 4 on. The body of a regular file that is
	// larger than Align begins at a multiple of it in the archive. NULs after the name
	// make up the distance and count in the name's size. If that size would be over
	// 4096 bytes, the body is not aligned and Aligned reports false. usr/gen_init_cpio
	// -a does the same.
	Align uint32

	w io.Writer
	// offset counts the bytes written; body, those of the current body that are still
	// to come.
	offset, body int64
	// sum is what the bytes of the body that are still to come must add up to, if
	// summed is set.
	sum    uint32
	summed bool
	missed bool
	err    error
	buf    []byte
	// copyBuf is what ReadFrom reads into; nil until it does.
	copyBuf []byte
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// WriteHeader ends the current record and begins the next one.
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
	w.summed = w.Checksums && h.isFile() && h.Size > 0
	w.sum = h.Checksum
	return w.err
}

// Aligned reports whether the body of the last record begins where Align wants it. It is
// false only if no NULs after the name could achieve that.
func (w *Writer) Aligned() bool { return !w.missed }

// Checksum adds the bytes of p to sum, as in Header.Checksum.
func Checksum(sum uint32, p []byte) uint32 {
	// A word has four sums of 16 bits. In each of 128 rounds a sum grows by 2*255 at
	// most, so it does not overflow.
	const odd = 0x00ff00ff00ff00ff
	for len(p) >= 8 {
		lanes := uint64(0)
		for range min(len(p)/8, 128) {
			word := binary.LittleEndian.Uint64(p)
			lanes += word&odd + word>>8&odd
			p = p[8:]
		}
		for ; lanes > 0; lanes >>= 16 {
			sum += uint32(lanes & 0xffff)
		}
	}
	for _, c := range p {
		sum += uint32(c)
	}
	return sum
}

// header writes a record's header and name, padded.
func (w *Writer) header(h *Header) {
	namesize := len(h.Name) + 1
	w.missed = false
	if align := int64(w.Align); align > 0 && h.isFile() && h.Size > align {
		distance := int(-(w.offset + headerSize + int64(namesize)) & (align - 1))
		if w.missed = namesize+distance > maxNameSize; !w.missed {
			namesize += distance
		}
	}
	sum, magic := uint32(0), magic
	if w.Checksums {
		magic = magicSum
		if h.Size > 0 && h.isFile() {
			sum = h.Checksum
		}
	}
	w.buf = append(w.buf[:0], magic...)
	for _, field := range [...]uint32{
		h.Ino, h.Mode, h.UID, h.GID, h.NLink, h.MTime, uint32(h.Size),
		h.Major, h.Minor, h.RMajor, h.RMinor, uint32(namesize), sum,
	} {
		w.buf = appendHex(w.buf, field)
	}
	w.buf = append(w.buf, h.Name...)
	end := headerSize + namesize
	end += -end & 3
	for end > len(w.buf) {
		w.buf = append(w.buf, zeros[:min(end-len(w.buf), len(zeros))]...)
	}
	w.write(w.buf)
}

// appendHex appends the eight upper-case hex digits of a field.
func appendHex(to []byte, field uint32) []byte {
	const digits = "0123456789ABCDEF"
	for shift := 28; shift >= 0; shift -= 4 {
		to = append(to, digits[field>>shift&15])
	}
	return to
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
	if w.summed {
		w.sum -= Checksum(0, p[:n])
		if w.err == nil && w.body == 0 && w.sum != 0 {
			w.fail(ErrChecksum)
		}
	}
	if long {
		w.fail(ErrWriteTooLong)
	}
	return n, w.err
}

// ReadFrom writes what r has to the current record's body. If the underlying writer has a
// ReadFrom, that copies, unless the bytes must be added up: the system may then copy from
// file to file.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.err != nil {
		return 0, w.err
	}
	below, ok := w.w.(io.ReaderFrom)
	if !ok || w.summed || w.body == 0 {
		return w.copy(r)
	}
	limited := &io.LimitedReader{R: r, N: w.body}
	if outer, ok := r.(*io.LimitedReader); ok && outer.N <= w.body {
		limited = outer // the system's copy would not see the file below two of them
	}
	n, err := below.ReadFrom(limited)
	w.offset += n
	w.body -= n
	if err != nil {
		return n, w.fail(err)
	}
	if w.body > 0 || limited == r {
		return n, nil
	}
	// The body is whole: r must be at its end.
	more, err := w.copy(r)
	return n + more, err
}

// copySize is how many bytes are read at once: as many as stay in a core's cache.
const copySize = 64 << 10

func (w *Writer) copy(r io.Reader) (int64, error) {
	if w.copyBuf == nil {
		w.copyBuf = make([]byte, copySize)
	}
	return io.CopyBuffer(onlyWriter{w}, r, w.copyBuf)
}

// onlyWriter hides ReadFrom from io.Copy.
type onlyWriter struct{ io.Writer }

// Offset returns how many bytes of the archive have been written.
func (w *Writer) Offset() int64 { return w.offset }

// Flush ends the current record with its padding: everything written so far is whole
// records.
func (w *Writer) Flush() error {
	w.endBody()
	return w.err
}

// Close ends the archive with its trailer. It does not close the underlying writer.
func (w *Writer) Close() error {
	if w.endBody(); w.err != nil {
		return w.err
	}
	w.header(&Header{Name: TrailerName, NLink: 1})
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
