package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
)

// maxWindow is the most that is kept of what was decompressed, in bytes: as much
// as package compress takes.
const maxWindow = 128 << 20

// decompressors is the table of what a tar archive may be compressed with besides
// the codecs of package compress: as the programs write it, not as a kernel takes
// it. xz has CRC64 by default, lz4 its newer frames.
var decompressors = []struct {
	name  string
	magic string
	open  func(r *bufio.Reader) (io.ReadCloser, error)
}{
	{"gzip", "\x1f\x8b\x08", func(r *bufio.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }},
	{"xz", "\xfd7zXZ\x00", newXZReader},
	{"bzip2", "BZh", func(r *bufio.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }},
	{"lz4", "\x04\x22\x4d\x18", func(r *bufio.Reader) (io.ReadCloser, error) {
		return io.NopCloser(&frames{r, lz4.NewReader(r)}), nil
	}},
	{"zstd", "\x28\xb5\x2f\xfd", newZstdReader},
}

// isCompressed tells whether what begins with prefix may be compressed.
func isCompressed(prefix []byte) bool {
	for _, d := range decompressors {
		if bytes.HasPrefix(prefix, []byte(d.magic)) {
			return true
		}
	}
	return codec.Detect(prefix) != ""
}

// newDecompressor decompresses all of r. Errors have the codec's name.
func newDecompressor(r *bufio.Reader) (*decompressor, error) {
	prefix, _ := r.Peek(8)
	z := &decompressor{name: codec.Detect(prefix)}
	open := newMembersReader
	for _, d := range decompressors {
		if bytes.HasPrefix(prefix, []byte(d.magic)) {
			z.name, open = d.name, d.open
		}
	}
	err := z.guard(func() (err error) {
		z.z, err = open(r)
		return err
	})
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, z.explain(err)
	}
	return z, nil
}

type decompressor struct {
	name string
	z    io.ReadCloser
	err  error
}

func (z *decompressor) Read(p []byte) (n int, err error) {
	if z.err != nil {
		return 0, z.err
	}
	err = z.guard(func() error {
		n, err = z.z.Read(p)
		return err
	})
	if err != nil && err != io.EOF {
		err = z.explain(err)
	}
	z.err = err
	return n, err
}

// guard returns the error of read, be it a panic of a library that trips over
// damaged input.
func (z *decompressor) guard(read func() error) (err error) {
	defer func() {
		if trip := recover(); trip != nil {
			err = fmt.Errorf("corrupt input: %v", trip)
		}
	}()
	return read()
}

func (z *decompressor) explain(err error) error {
	var own *spoolError
	if errors.As(err, &own) {
		return err
	}
	return fmt.Errorf("%s: %w", z.name, err)
}

func (z *decompressor) Close() error { return z.z.Close() }

func newZstdReader(r *bufio.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(r,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// newXZReader refuses a dictionary over maxWindow, which the library would
// allocate. That of the first block counts: xz gives all blocks the same.
func newXZReader(r *bufio.Reader) (io.ReadCloser, error) {
	const streamHeader = 12
	prefix, err := r.Peek(streamHeader + 2)
	if err != nil {
		return nil, err
	}
	size := (int(prefix[streamHeader]) + 1) * 4
	block, err := r.Peek(streamHeader + size)
	if err != nil {
		return nil, err
	}
	block = block[streamHeader:]
	fields := block[2:]
	for _, has := range []byte{1 << 6, 1 << 7} { // the block's sizes, packed and not
		if block[1]&has != 0 {
			_, n := binary.Uvarint(fields)
			fields = fields[max(n, 0):]
		}
	}
	const lzma2, dictionary = 0x21, 2 // the filter's id and where its dictionary's code is
	if prefix[streamHeader] != 0 && len(fields) > dictionary && fields[0] == lzma2 {
		// Two bits of mantissa below an exponent (the .xz file format, 5.3.1).
		code := fields[dictionary] & 0x3f
		if most := (2 | uint64(code)&1) << (code/2 + 11); most > maxWindow {
			return nil, fmt.Errorf("dictionary of %d bytes: %d is the most", most, maxWindow)
		}
	}
	z, err := xz.ReaderConfig{DictCap: lzma.MinDictCap}.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(z), nil
}

// frames reads lz4 frames one after the other.
type frames struct {
	r *bufio.Reader
	z *lz4.Reader
}

func (f *frames) Read(p []byte) (int, error) {
	for {
		n, err := f.z.Read(p)
		if err != io.EOF {
			return n, err
		} else if n > 0 {
			return n, nil
		}
		if _, err := f.r.Peek(1); err != nil {
			return 0, err
		}
		f.z.Reset(f.r)
	}
}

// members reads members of package compress one after the other.
type members struct {
	r       *bufio.Reader
	current *codec.Reader
}

func newMembersReader(r *bufio.Reader) (io.ReadCloser, error) {
	first, err := codec.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &members{r, first}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.current.Read(p)
		if err != io.EOF {
			return n, err
		} else if n > 0 {
			return n, nil
		}
		if _, err := m.r.Peek(1); err != nil {
			return 0, err
		}
		next, err := codec.NewReader(m.r)
		if err != nil {
			return 0, err
		}
		m.current.Close()
		m.current = next
	}
}

func (m *members) Close() error { return m.current.Close() }
