// Package image reads initramfs images as the kernel does when it unpacks them into
// rootfs, and joins them of parts.
//
// An image is
//
//	("\0" | cpio | COMPRESSED(cpio))*
//
// init/initramfs.c says what that means: an uncompressed archive begins at a multiple
// of 4; a compressed one begins anywhere and ends at the end of a record; a trailer ends
// neither.
//
// Each archive in this is a member. A part is a file of an image and has one or more
// members: a boot loader or a Joiner puts it at a multiple of 4. A boot configuration may
// follow the last part.
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

// MaxTarget is the longest body of a symbolic link that the kernel takes, in bytes. It
// silently skips a longer one.
const MaxTarget = 4096

// Uncompressed is the codec of a member that is not compressed.
const Uncompressed = "none"

// ErrJunk reports bytes that begin neither an archive nor a compressed archive.
var ErrJunk = errors.New("no magic of an archive or of a codec")

// ErrCut reports a compressed member that ends inside a record, or before the first
// record of the image: the kernel's "junk at the end of compressed archive". It is an
// io.ErrUnexpectedEOF.
var ErrCut = fmt.Errorf("a compressed member must end at the end of a record, its padding included: %w", io.ErrUnexpectedEOF)

// Entry is a record of an image that is not a trailer.
type Entry struct {
	cpio.Header
	// Target is where a symbolic link leads, up to its first NUL. It is empty if the
	// body is longer than MaxTarget.
	Target string
	// HasRest reports whether the body of a symbolic link has more than NULs after its
	// first NUL. The kernel ignores it.
	HasRest bool
	// Index counts the entries before this one.
	Index int
	// Member is the index of the member that holds the entry.
	Member int
	// Trailers counts the trailers before the entry. Records with different counts are
	// never names of one file: a trailer makes the kernel forget the files before it.
	Trailers int
}

// Member is a run of records that was compressed on its own, or was not compressed.
type Member struct {
	// Offset is where the member begins in the image.
	Offset int64
	// Codec is how it is compressed: a name of package codec, or Uncompressed.
	Codec string
	// Filters are the filters of xz for machine code that it uses: see codec.Reader. They
	// are complete with the member.
	Filters []string
	// Stored counts its bytes in the image. NULs after an uncompressed member count,
	// those after a compressed one do not.
	Stored int64
	// Unpacked counts the bytes of its records and of the NULs between them.
	Unpacked int64
	// Entries counts its records without the trailers.
	Entries int
}

// Error is an error in an image.
type Error struct {
	// Offset is where the member with the error begins in the image. Outside a member
	// it is where the error is. The error of an uncompressed member is at
	// Offset+Inside.
	Offset int64
	// Member is the index of the member, or -1 outside one. Codec is the member's.
	// Inside is the offset of the error in what the member unpacks to.
	Member int
	Codec  string
	Inside int64
	// Err says what is wrong.
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

// Reader reads the entries of an image in their order: call Next, then Read for the
// content. What the kernel refuses is an error. So is an image that is cut off, which the
// kernel takes silently if it is not compressed. Errors other than io.EOF are *Errors, and
// every later call returns them.
//
// Memory grows with the number of members, not with the image.
type Reader struct {
	image   *bufio.Reader
	counter *counter
	members []Member
	entries int
	// trailers counts the trailers read so far; ended reports that the last record was
	// one.
	trailers int
	ended    bool
	// started reports that a record has been read. Until then the kernel is in its
	// state Start, in which a compressed member may not begin with NULs or be empty.
	started bool

	// These belong to the current member. They are nil between two members.
	archive *cpio.Reader
	// unpacked is what archive reads; image if the member is not compressed.
	unpacked *bufio.Reader

	// These are for all compressed members, because an image may have many. buffer is that
	// of unpacked.
	decoder *codec.Reader
	buffer  *bufio.Reader

	err error
}

// bufferSize is the size of the buffers of the image and of a decompressor, in bytes.
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

// Members returns the members up to the current one. Those before it are complete. All
// are once Next has returned io.EOF.
func (r *Reader) Members() []Member { return r.members }

// Trailer reports whether the last record that was read is a trailer. Without one at its
// end, an uncompressed image may have been cut off between two records.
func (r *Reader) Trailer() bool { return r.ended }

// Next goes to the next entry and returns it, or io.EOF at the end of the image.
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
			r.closeMember()
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
			target, rest, _ := bytes.Cut(body, []byte{0})
			e.Target, e.HasRest = string(target), len(bytes.Trim(rest, "\x00")) > 0
		}
		return e, nil
	}
}

// Read reads from the content of the current entry and returns io.EOF at its end. A
// symbolic link has no content: its body is its Target.
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

// Close releases what a decompressor holds. It does not close the underlying reader.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = errors.New("the image is closed")
	}
	if r.decoder == nil {
		return nil
	}
	return r.decoder.Close()
}

// openMember skips NULs and opens the next member, or returns io.EOF at the end of the
// image.
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
	err := r.openDecoder()
	if err == codec.ErrNotCompressed {
		err = ErrJunk
		prefix, _ := r.image.Peek(codec.ForeignSize)
		switch foreign := codec.Foreign(prefix); {
		case foreign != "":
			err = fmt.Errorf("%w, but %s", ErrJunk, foreign)
		case first == '0':
			err = fmt.Errorf("%w: an uncompressed archive must begin at a multiple of 4", ErrJunk)
		}
	}
	if err != nil {
		return &Error{Offset: at, Member: -1, Err: err}
	}
	r.members = append(r.members, Member{Offset: at, Codec: r.decoder.Codec()})
	r.buffer.Reset(r.decoder)
	r.unpacked = r.buffer
	r.archive = cpio.NewReader(r.unpacked)
	return nil
}

func (r *Reader) openDecoder() (err error) {
	if r.decoder != nil {
		return r.decoder.Reset(r.image)
	}
	r.buffer = bufio.NewReaderSize(nil, bufferSize)
	r.decoder, err = codec.NewReader(r.image)
	return err
}

// more goes to the next record of the member and reports whether there is one.
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
	// Another magic ends an uncompressed archive.
	first, err := r.image.Peek(1)
	return err != nil || first[0] == '0', nil
}

func (r *Reader) compressed() bool { return r.unpacked != r.image }

// closeMember ends the current member at the end of a record.
func (r *Reader) closeMember() {
	m := &r.members[len(r.members)-1]
	m.Stored = r.Offset() - m.Offset
	m.Unpacked = r.archive.Offset()
	if r.compressed() {
		m.Filters = r.decoder.Filters()
	}
	r.archive, r.unpacked = nil, nil
}

// inMember adds where in the current member an error is.
func (r *Reader) inMember(err error) error {
	last := len(r.members) - 1
	e := &Error{Offset: r.members[last].Offset, Member: last, Codec: r.members[last].Codec, Inside: r.archive.Offset(), Err: err}
	if bad, ok := errors.AsType[*cpio.ReadError](err); ok {
		e.Inside, e.Err = bad.Offset, bad.Err
	}
	if e.Err == io.ErrUnexpectedEOF && r.compressed() {
		e.Err = ErrCut // the error of compressed data that is cut off has the codec's name
	}
	return e
}

func (r *Reader) fail(err error) error {
	r.err = err
	return err
}
