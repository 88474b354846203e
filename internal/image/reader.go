// Package image reads initramfs images as a kernel does that unpacks them into
// rootfs.
//
// An image is
//
//	("\0" | cpio | COMPRESSED(cpio))*
//
// init/initramfs.c says what that means: an archive that is not compressed begins
// at a multiple of 4, a compressed one anywhere and ends at the end of a record,
// and a trailer ends neither.
package image

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// MaxTarget is the longest body of a symbolic link that the kernel takes, in
// bytes: it skips a longer one in silence.
const MaxTarget = 4096

// Uncompressed is the codec of a member that is not compressed.
const Uncompressed = "none"

// ErrJunk reports bytes that begin neither an archive nor a compressed one.
var ErrJunk = errors.New("no magic of an archive or of a codec")

// ErrCut reports a compressed member that ends inside of a record, or before
// the first one of the image: the kernel's "junk at the end of compressed
// archive". It is an io.ErrUnexpectedEOF.
var ErrCut = fmt.Errorf("a compressed member must end at the end of a record, its padding included: %w", io.ErrUnexpectedEOF)

// Entry is a record of an image that is no trailer.
type Entry struct {
	cpio.Header
	// Target is where a symbolic link leads, up to its first NUL; empty where its
	// body is longer than MaxTarget.
	Target string
	// Index counts the entries before this one.
	Index int
	// Member is the index of the member that holds the entry.
	Member int
	// Trailers counts the trailers before the entry. Records are names of one file
	// only if theirs are the same: a trailer makes the kernel forget the files.
	Trailers int
}

// Member is a part of an image that was compressed on its own, or was not
// compressed.
type Member struct {
	// Offset is where the member begins in the image.
	Offset int64
	// Codec is how it is compressed: a name of package compress, or Uncompressed.
	Codec string
	// Stored counts its bytes in the image. NULs behind an uncompressed member are
	// a part of it; those behind a compressed one are not.
	Stored int64
	// Unpacked counts the bytes of its records and of the NULs between them.
	Unpacked int64
	// Entries counts its records without the trailers.
	Entries int
}

// Error is a fault of an image.
type Error struct {
	// Offset is where the member with the fault begins in the image or, outside of
	// one, where the fault is; the fault of an uncompressed member is at
	// Offset+Inside.
	Offset int64
	// Member is the index of the member, or -1 outside of one; Codec is the
	// member's; Inside is the offset of the fault in what the member unpacks to.
	Member int
	Codec  string
	Inside int64
	// Err says what it is.
	Err error
}

func (e *Error) Error() string {
	switch {
	case e.Member < 0:
		return fmt.Sprintf("byte %d: %v", e.Offset, e.Err)
	case e.Codec == Uncompressed:
		return fmt.Sprintf("byte %d (byte %d of member %d, not compressed): %v", e.Offset+e.Inside, e.Inside, e.Member+1, e.Err)
	}
	return fmt.Sprintf("byte %d of what unpacks from member %d (%s, at byte %d): %v",
		e.Inside, e.Member+1, e.Codec, e.Offset, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Reader reads the entries of an image in their order: Next, then Read for the
// content. What the kernel refuses is an error, and so is an image that is cut
// off, which the kernel takes in silence if it is not compressed. Errors but
// io.EOF are *Errors, and stay.
//
// The memory it takes grows with the members, not with the image.
type Reader struct {
	image   *bufio.Reader
	counter *counter
	members []Member
	entries int
	// trailers counts those that were read; ended tells that the last record was
	// one.
	trailers int
	ended    bool
	// started tells that a record has been read: until then the kernel is in its
	// state Start, where a compressed member may not begin with NULs or be empty.
	started bool

	// Of the current member, nil between two:
	archive *cpio.Reader
	// unpacked is what archive reads; image if the member is not compressed.
	unpacked *bufio.Reader
	close    func() error

	err error
}

// bufferSize is that of what is read from the image and from a decompressor.
const bufferSize = 256 << 10

// NewReader returns a Reader of the image that r reads.
func NewReader(r io.Reader) *Reader {
	c := &counter{r: r}
	return &Reader{image: bufio.NewReaderSize(c, bufferSize), counter: c}
}

// counter counts the bytes that are read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Offset returns how many bytes of the image have been read.
func (r *Reader) Offset() int64 { return r.counter.n - int64(r.image.Buffered()) }

// Members returns the members up to the current one. Those before it are
// complete and, once Next has returned io.EOF, all are.
func (r *Reader) Members() []Member { return r.members }

// Trailer tells whether the last record that was read is a trailer. Without one
// at its end, an uncompressed image may have been cut off between two records.
func (r *Reader) Trailer() bool { return r.ended }

// Next goes to the next entry and returns it. At the end of the image it returns
// io.EOF.
func (r *Reader) Next() (*Entry, error) {
	if r.err != nil {
		return nil, r.err
	}
	for {
		if r.archive == nil {
			if err := r.openMember(); err != nil {
				return nil, r.fail(err)
			}
		}
		more, err := r.more()
		if err != nil {
			return nil, r.fail(err)
		}
		if !more {
			if err := r.closeMember(); err != nil {
				return nil, r.fail(err)
			}
			continue
		}
		h, err := r.archive.Next()
		if err == nil || err == io.EOF {
			r.started, r.ended = true, err == io.EOF
		}
		if err == io.EOF {
			r.trailers++
			continue
		}
		if err != nil {
			return nil, r.fail(r.inMember(err))
		}
		e := &Entry{Header: *h, Index: r.entries, Member: len(r.members) - 1, Trailers: r.trailers}
		r.entries++
		r.members[e.Member].Entries++
		if e.Type() == cpio.TypeSymlink && e.Size <= MaxTarget {
			body, err := io.ReadAll(r.archive)
			if err != nil {
				return nil, r.fail(r.inMember(err))
			}
			target, _, _ := bytes.Cut(body, []byte{0})
			e.Target = string(target)
		}
		return e, nil
	}
}

// Read reads from the content of the current entry. It returns io.EOF at its
// end. A symbolic link has none: its body is its Target.
func (r *Reader) Read(p []byte) (int, error) {
	switch {
	case r.err != nil:
		return 0, r.err
	case r.archive == nil:
		return 0, io.EOF
	}
	n, err := r.archive.Read(p)
	if err != nil && err != io.EOF {
		err = r.fail(r.inMember(err))
	}
	return n, err
}

// Close gives back what a decompressor holds. It does not close what the image
// is read from.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = errors.New("the image is closed")
	}
	if r.close == nil {
		return nil
	}
	err := r.close()
	r.close = nil
	return err
}

// openMember goes over NULs to the next member and opens it, or returns io.EOF
// at the end of the image.
func (r *Reader) openMember() error {
	var first byte
	for first == 0 {
		var err error
		if first, err = r.image.ReadByte(); err == io.EOF {
			return io.EOF
		} else if err != nil {
			return &Error{Offset: r.Offset(), Member: -1, Err: err}
		}
	}
	r.image.UnreadByte()
	at := r.Offset()
	if first == '0' && at%4 == 0 {
		r.members = append(r.members, Member{Offset: at, Codec: Uncompressed})
		r.unpacked = r.image
		r.archive = cpio.NewReader(r.image)
		return nil
	}
	decoder, err := codec.NewReader(r.image)
	if err == codec.ErrNotCompressed {
		err = ErrJunk
		if first == '0' {
			err = fmt.Errorf("%w: an uncompressed archive must begin at a multiple of 4", ErrJunk)
		}
	}
	if err != nil {
		return &Error{Offset: at, Member: -1, Err: err}
	}
	r.members = append(r.members, Member{Offset: at, Codec: decoder.Codec()})
	r.close = decoder.Close
	r.unpacked = bufio.NewReaderSize(decoder, bufferSize)
	r.archive = cpio.NewReader(r.unpacked)
	return nil
}

// more goes to the next record of the member and tells whether there is one.
func (r *Reader) more() (bool, error) {
	if r.archive.Offset() == 0 && r.compressed() && !r.started {
		switch first, err := r.unpacked.Peek(1); {
		case err == io.EOF:
			return false, r.inMember(ErrCut)
		case err == nil && first[0] == 0:
			return false, r.inMember(fmt.Errorf("%w: NULs where the first record of the image must begin", cpio.ErrHeader))
		}
	}
	switch more := r.archive.More(); {
	case !more:
		return false, nil
	case r.compressed() || r.archive.Offset()%4 != 0:
		return true, nil
	}
	// Another magic ends an archive that is not compressed.
	first, err := r.image.Peek(1)
	return err != nil || first[0] == '0', nil
}

func (r *Reader) compressed() bool { return r.unpacked != r.image }

// closeMember ends the current member at the end of a record.
func (r *Reader) closeMember() error {
	m := &r.members[len(r.members)-1]
	m.Stored = r.Offset() - m.Offset
	m.Unpacked = r.archive.Offset()
	r.archive, r.unpacked = nil, nil
	if r.close == nil {
		return nil
	}
	closeCodec := r.close
	r.close = nil
	if err := closeCodec(); err != nil {
		return &Error{Offset: m.Offset, Member: len(r.members) - 1, Codec: m.Codec, Inside: m.Unpacked, Err: err}
	}
	return nil
}

// inMember says where in the current member a fault is.
func (r *Reader) inMember(err error) error {
	last := len(r.members) - 1
	e := &Error{Offset: r.members[last].Offset, Member: last, Codec: r.members[last].Codec, Inside: r.archive.Offset(), Err: err}
	if fault, ok := errors.AsType[*cpio.ReadError](err); ok {
		e.Inside, e.Err = fault.Offset, fault.Err
	}
	if e.Err == io.ErrUnexpectedEOF && r.compressed() {
		e.Err = ErrCut // compressed data that is cut off has the codec's name with it
	}
	return e
}

func (r *Reader) fail(err error) error {
	r.err = err
	return err
}
