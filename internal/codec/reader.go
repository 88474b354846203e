package codec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// ErrNotCompressed is the error of NewReader if the input begins with no codec's magic
// number. Nothing is consumed then.
var ErrNotCompressed = errors.New("not compressed with a codec that a kernel takes")

// maxWindow is how much decompressed content a reader keeps at most, in bytes. It is
// the kernel's limit for zstd (lib/decompress_unzstd.c). For xz and lzma, the kernel's
// only limit is its memory; no preset of xz needs more than 64 MiB.
const maxWindow = 128 << 20

// Detect returns the name of the codec of a member that begins with prefix, or "" if
// no codec's does. The first two bytes decide, as in lib/decompress.c.
func Detect(prefix []byte) string {
	if c := detect(prefix); c != nil {
		return c.Name
	}
	return ""
}

// magicSize is how many bytes of a member identify its codec.
const magicSize = 2

func detect(prefix []byte) *Codec {
	if len(prefix) < magicSize {
		return nil
	}
	for i := range codecs {
		for _, magic := range codecs[i].magics {
			if magic == string(prefix[:magicSize]) {
				return &codecs[i]
			}
		}
	}
	return nil
}

// Reader decompresses one member. It accepts what the kernel's decompressor accepts and
// refuses what that refuses. It also verifies every checksum, even those that the kernel
// ignores. Its memory is bounded by the largest window of a member, which is 128 MiB at
// most for each codec, and a few blocks.
type Reader struct {
	codec    string
	current  decoder
	decoders map[string]decoder
	err      error
}

// NewReader detects the codec of the member that r begins with and reads that one
// member. The buffer of r must have 32 bytes or more. At io.EOF, r is at the first byte
// after the member, where another member, zeros or an uncompressed archive may follow.
// Before io.EOF, and after any other error, the position of r is undefined.
//
// Members of lz4 do not mark their end: one ends at the end of r or at four zero bytes,
// which are left unread, and continues over another lz4 member
// (lib/decompress_unlz4.c). Anything else after it is an error.
func NewReader(r *bufio.Reader) (*Reader, error) {
	z := &Reader{decoders: map[string]decoder{}}
	if err := z.Reset(r); err != nil {
		return nil, err
	}
	return z, nil
}

// Reset makes z read another member, as NewReader does. It uses what z has allocated again,
// so that many small members take no more memory than one.
func (z *Reader) Reset(r *bufio.Reader) error {
	prefix, err := r.Peek(magicSize)
	if err != nil && err != io.EOF {
		return err
	}
	c := detect(prefix)
	if c == nil {
		return ErrNotCompressed
	}
	z.codec, z.current, z.err = c.Name, z.decoders[c.Name], nil
	if z.current == nil {
		z.current = c.newDecoder()
		z.decoders[c.Name] = z.current
	}
	if err := guard(func() error { return unexpected(z.current.reset(r)) }); err != nil {
		z.err = z.explain(err)
	}
	return z.err
}

// Codec returns the name of the codec, such as zstd.
func (z *Reader) Codec() string { return z.codec }

// Filters returns the names of the filters of machine code in what has been read so far,
// such as x86: a kernel needs an option for each (CONFIG_XZ_DEC_X86). Only xz has filters.
func (z *Reader) Filters() []string {
	if filtered, ok := z.current.(interface{ filters() []string }); ok {
		return filtered.filters()
	}
	return nil
}

// Read reads the content of the member. If the input ends within the member, the error
// is io.ErrUnexpectedEOF.
func (z *Reader) Read(p []byte) (n int, err error) {
	if z.err != nil {
		return 0, z.err
	}
	err = guard(func() error {
		n, err = z.current.Read(p)
		return err
	})
	if err != nil && err != io.EOF {
		err = z.explain(err)
	}
	z.err = err
	return n, err
}

// guard returns the error of read, and a panic of read as an error: damaged input that
// makes a library panic must not end the program.
func guard(read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("corrupt input: %v", r)
		}
	}()
	return read()
}

// Close frees the reader's resources. It does not read the rest of the member.
func (z *Reader) Close() error {
	if z.err == nil || z.err == io.EOF {
		z.err = z.explain(errors.New("read after close"))
	}
	var err error
	for _, d := range z.decoders {
		if closer, ok := d.(io.Closer); ok {
			err = errors.Join(err, closer.Close())
		}
	}
	z.decoders = nil
	return err
}

func (z *Reader) explain(err error) error { return fmt.Errorf("%s: %w", z.codec, err) }

// unexpected turns the end of the input into an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
