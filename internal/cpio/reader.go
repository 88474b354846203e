package cpio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrHeader reports bytes that are not a header where one must begin.
	ErrHeader = errors.New("cpio: invalid header")
	// ErrNoTrailer reports an archive that ends after a record that is not its
	// trailer. It is an io.ErrUnexpectedEOF.
	ErrNoTrailer = fmt.Errorf("cpio: no trailer: %w", io.ErrUnexpectedEOF)
)

// ReadError is an error in what a Reader reads.
type ReadError struct {
	// Offset is where the error is, in bytes from where reading began: the header of
	// a bad record, or the end of an input that is cut off.
	Offset int64
	// Err says what is wrong.
	Err error
}

func (e *ReadError) Error() string { return fmt.Sprintf("%v at byte %d", e.Err, e.Offset) }
func (e *ReadError) Unwrap() error { return e.Err }

// Reader reads archives record by record: call Next, then Read as much of the body as
// needed. It takes what init/initramfs.c takes: the magics 070701 and 070702, digits of
// either case, NULs between records and after the name, and any bytes as padding.
//
// After an error other than io.EOF, every call returns that error. Errors are
// *ReadErrors. Memory does not depend on the input.
type Reader struct {
	r *bufio.Reader
	// offset counts the bytes read; record is where the current one began.
	offset, record int64
	// body counts the bytes of the current body that are still to come; padding,
	// those after it.
	body, padding int64
	// summed reports that sum must be wantSum at the end of the body.
	summed       bool
	sum, wantSum uint32
	// ended reports that the last record was a trailer.
	ended bool
	err   error
	buf   [headerSize + maxNameSize + 3]byte
}

// NewReader returns a Reader that reads from r. If r is a *bufio.Reader of the default
// size or more, the Reader does not read ahead: what follows the last record stays in r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReader(r)} }

// Offset returns how many bytes have been read.
func (r *Reader) Offset() int64 { return r.offset }

// More goes to the end of the current record and of the NULs after it, and reports
// whether anything follows: a record, or an error that Next will return.
func (r *Reader) More() bool {
	if r.err != nil {
		return true
	}
	if r.endRecord() != nil {
		return true
	}
	for {
		if _, err := r.r.Peek(1); err == io.EOF {
			return false
		} else if err != nil {
			r.fail(r.offset, err)
			return true
		}
		ahead, _ := r.r.Peek(r.r.Buffered())
		nuls := len(ahead) - len(bytes.TrimLeft(ahead, "\x00"))
		r.discard(nuls)
		if nuls < len(ahead) {
			break
		}
	}
	if r.offset%4 != 0 {
		r.fail(r.offset, fmt.Errorf("%w: broken padding: a record must begin at a multiple of 4", ErrHeader))
	}
	return true
}

// Next goes to the next record and returns its header, or io.EOF at a trailer.
// A caller may read on after a trailer, as the kernel does: More reports whether
// anything is there. At the end of the input, Next returns io.EOF, or ErrNoTrailer if
// the last record was not a trailer.
func (r *Reader) Next() (*Header, error) {
	switch more := r.More(); {
	case r.err != nil:
		return nil, r.err
	case !more && r.ended:
		return nil, io.EOF
	case !more:
		return nil, r.fail(r.offset, ErrNoTrailer)
	}
	r.record = r.offset
	h, err := r.header()
	if err != nil {
		return nil, err
	}
	if r.ended = isTrailer(h); r.ended {
		return nil, io.EOF
	}
	return h, nil
}

// isTrailer reports whether the kernel takes a record as a trailer: do_header and
// do_symlink keep the other records of that name away from do_name.
func isTrailer(h *Header) bool {
	return h.Name == TrailerName && !h.Skipped && h.Type() != TypeSymlink && (h.isFile() || h.Size == 0)
}

// header reads a record's header and name, padded.
func (r *Reader) header() (*Header, error) {
	fixed := r.buf[:headerSize]
	n, err := io.ReadFull(r.r, fixed)
	r.offset += int64(n)
	got := fixed[:min(n, len(magic))]
	checked := bytes.HasPrefix([]byte(magicSum), got)
	switch {
	case len(got) == len(magic) && string(got) == "070707":
		return nil, r.fail(r.record, fmt.Errorf("%w: the magic 070707 of old cpio archives: make it with cpio -H newc", ErrHeader))
	case !checked && !bytes.HasPrefix([]byte(magic), got):
		return nil, r.fail(r.record, fmt.Errorf("%w: no cpio magic: %q", ErrHeader, got))
	case err != nil:
		return nil, r.failRead(err)
	}
	var words [13 * 4]byte
	if _, err := hex.Decode(words[:], fixed[len(magic):]); err != nil {
		return nil, r.fail(r.record, fmt.Errorf("%w: damaged: a field is not eight hex digits", ErrHeader))
	}
	field := func(i int) uint32 { return binary.BigEndian.Uint32(words[4*i:]) }
	h := &Header{
		Ino: field(0), Mode: field(1), UID: field(2), GID: field(3), NLink: field(4), MTime: field(5),
		Size: int64(field(6)), Major: field(7), Minor: field(8), RMajor: field(9), RMinor: field(10), Checksum: field(12),
	}
	size := int64(field(11))
	h.Skipped = size < 1 || size > maxNameSize
	kept := min(size, maxNameSize)
	name := r.buf[headerSize : headerSize+kept]
	n, err = io.ReadFull(r.r, name)
	r.offset += int64(n)
	if err != nil {
		return nil, r.failRead(err)
	}
	if err := r.skip(size - kept + -(headerSize+size)&3); err != nil {
		return nil, err
	}
	// The kernel reads a C string: NULs that pad the name are not part of it.
	end := bytes.IndexByte(name, 0)
	switch {
	case h.Skipped && end < 0:
		end = int(min(size, MaxName))
	case !h.Skipped && name[size-1] != 0:
		return nil, r.fail(r.record, fmt.Errorf("%w: no NUL at its end", ErrName))
	}
	h.Name = string(name[:end])

	r.body, r.padding = h.Size, -h.Size&3
	r.sum, r.wantSum = 0, h.Checksum
	r.summed = checked && h.isFile() && !isTrailer(h) && !h.Skipped
	if err := r.checkSum(); err != nil {
		return nil, err
	}
	return h, nil
}

// Read reads from the body of the current record. It returns io.EOF at its end.
func (r *Reader) Read(p []byte) (int, error) {
	switch {
	case r.err != nil:
		return 0, r.err
	case r.body == 0:
		return 0, io.EOF
	case int64(len(p)) > r.body:
		p = p[:r.body]
	}
	n, err := r.r.Read(p)
	r.took(p[:n])
	switch {
	case err == io.EOF:
		return n, r.fail(r.offset, io.ErrUnexpectedEOF)
	case err != nil:
		return n, r.fail(r.offset, err)
	}
	return n, r.checkSum()
}

// took counts bytes of the body that have been read.
func (r *Reader) took(p []byte) {
	r.offset += int64(len(p))
	r.body -= int64(len(p))
	if r.summed {
		r.sum = Checksum(r.sum, p)
	}
}

// checkSum compares the sums once the body has been read.
func (r *Reader) checkSum() error {
	if r.body == 0 && r.summed && r.sum != r.wantSum {
		return r.fail(r.record, ErrChecksum)
	}
	return nil
}

// endRecord skips what is left of the current record.
func (r *Reader) endRecord() error {
	for r.body > 0 {
		if _, err := r.r.Peek(1); err != nil {
			return r.failRead(err)
		}
		ahead, _ := r.r.Peek(int(min(r.body, int64(r.r.Buffered()))))
		r.took(ahead)
		r.r.Discard(len(ahead))
	}
	if err := r.checkSum(); err != nil {
		return err
	}
	padding := r.padding
	r.padding = 0
	return r.skip(padding)
}

// skip skips n bytes.
func (r *Reader) skip(n int64) error {
	for n > 0 {
		skipped, err := r.r.Discard(int(min(n, 1<<30)))
		r.offset += int64(skipped)
		if err != nil {
			return r.failRead(err)
		}
		n -= int64(skipped)
	}
	return nil
}

func (r *Reader) discard(n int) {
	r.r.Discard(n)
	r.offset += int64(n)
}

// failRead fails with a read error inside a record.
func (r *Reader) failRead(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return r.fail(r.offset, err)
}

func (r *Reader) fail(offset int64, err error) error {
	if r.err == nil {
		r.err = &ReadError{offset, err}
	}
	return r.err
}
