package codec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// ErrNotCompressed is the error of NewReader where the input begins with none
// of the codecs' magic numbers. Nothing is consumed.
var ErrNotCompressed = errors.New("not compressed with a codec that a kernel takes")

// maxWindow is the most that a reader keeps of what it has decompressed, in
// bytes. It is the kernel's limit for zstd (lib/decompress_unzstd.c). For xz
// and lzma the kernel has none but its memory; no preset of xz passes 64 MiB.
const maxWindow = 128 << 20

// Detect returns the name of the codec whose magic number prefix begins with, by
// its first two bytes as in lib/decompress.c, or "" when there is none.
func Detect(prefix []byte) string {
	if c := detect(prefix); c != nil {
		return c.name
	}
	return ""
}

// magicSize is how many bytes of a member tell its codec.
const magicSize = 2

func detect(prefix []byte) *codec {
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

// Reader decompresses one member. It takes what the kernel's decompressor of the
// codec takes and refuses what that refuses; and it verifies the checksums there
// are, those too that the kernel does not look at. Its memory is bounded by the
// window of the member, 128 MiB at most, and a few blocks.
type Reader struct {
	codec        string
	decompressor io.Reader
	err          error
}

// NewReader detects the codec of the member at which r stands and reads that one
// member: at io.EOF r stands at the first byte behind it, where another member,
// zeros or a bare archive may follow. Before io.EOF, and after any other error,
// it stands anywhere.
//
// lz4 is the one codec whose members do not tell their end: one ends at the end
// of r or at four zero bytes, which are left unread, and goes on over another
// lz4 member (lib/decompress_unlz4.c). Whatever else follows is an error.
func NewReader(r *bufio.Reader) (*Reader, error) {
	prefix, err := r.Peek(magicSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	c := detect(prefix)
	if c == nil {
		return nil, ErrNotCompressed
	}
	z := &Reader{codec: c.name}
	if err := guard(func() error {
		z.decompressor, err = c.newReader(r)
		return unexpected(err)
	}); err != nil {
		return nil, z.explain(err)
	}
	return z, nil
}

// Codec returns the name of the codec, such as zstd.
func (z *Reader) Codec() string { return z.codec }

// Read returns what the member holds. The end of the input within the member is
// io.ErrUnexpectedEOF.
func (z *Reader) Read(p []byte) (n int, err error) {
	if z.err != nil {
		return 0, z.err
	}
	err = guard(func() error {
		n, err = z.decompressor.Read(p)
		return err
	})
	if err != nil && err != io.EOF {
		err = z.explain(err)
	}
	z.err = err
	return n, err
}

// guard returns the error of read, be it a panic: input that a library trips over
// is damaged input, and no reason to take the program down.
func guard(read func() error) (err error) {
	defer func() {
		if trip := recover(); trip != nil {
			err = fmt.Errorf("corrupt input: %v", trip)
		}
	}()
	return read()
}

// Close frees what the reader holds. It does not read on to the end of the
// member.
func (z *Reader) Close() error {
	if z.err == nil || z.err == io.EOF {
		z.err = z.explain(errors.New("read after close"))
	}
	d := z.decompressor
	z.decompressor = nil
	if closer, ok := d.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

func (z *Reader) explain(err error) error { return fmt.Errorf("%s: %w", z.codec, err) }

// unexpected makes the end of the input an error, where there should be more.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
