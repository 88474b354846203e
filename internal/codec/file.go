package codec

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// fileFormats has a row for each format that compression programs write and kernels do not
// take, or take only in part: xz has CRC64 by default, lz4 its newer frames, and every
// format may have several streams in a row. A magic number is that of the format.
var fileFormats = []struct {
	codec string
	magic string
	open  func(r *bufio.Reader) (io.ReadCloser, error)
}{
	{"gzip", "\x1f\x8b\x08", func(r *bufio.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }},
	{"xz", string(xzHeaderMagic), newXZFileReader},
	{"bzip2", "BZh", func(r *bufio.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }},
	{"lz4", "\x04\x22\x4d\x18", func(r *bufio.Reader) (io.ReadCloser, error) {
		return io.NopCloser(&lz4Frames{r, lz4.NewReader(r)}), nil
	}},
	{"zstd", "\x28\xb5\x2f\xfd", newZstdFileReader},
}

// DetectFile returns the name of the codec of a file that begins with prefix, which a
// compression program wrote, or a packer for a kernel; "" if it is not compressed. Eight
// bytes are enough.
func DetectFile(prefix []byte) string {
	for _, f := range fileFormats {
		if bytes.HasPrefix(prefix, []byte(f.magic)) {
			return f.codec
		}
	}
	return Detect(prefix)
}

// FileReader decompresses a file as compression programs do: to its end, with all of its
// streams. What a kernel takes of it does not matter; for that, see Reader.
type FileReader struct {
	codec  string
	prefix string // of errors
	z      io.ReadCloser
	err    error
}

// NewFileReader returns a reader of what r decompresses to. If r is not compressed, the
// error is ErrNotCompressed. Errors have the codec's name. Memory is bounded as for a
// Reader.
func NewFileReader(r *bufio.Reader) (*FileReader, error) {
	prefix, err := r.Peek(8)
	if err != nil && err != io.EOF {
		return nil, err
	}
	z := &FileReader{codec: DetectFile(prefix)}
	if z.codec == "" {
		return nil, ErrNotCompressed
	}
	// Errors of Reader have the codec's name already.
	open := newMembersReader
	for _, f := range fileFormats {
		if bytes.HasPrefix(prefix, []byte(f.magic)) {
			open, z.prefix = f.open, z.codec+": "
		}
	}
	if err := guard(func() (err error) {
		z.z, err = open(r)
		return unexpected(err)
	}); err != nil {
		return nil, z.explain(err)
	}
	return z, nil
}

// Codec returns the name of the codec, such as zstd.
func (z *FileReader) Codec() string { return z.codec }

// Read reads decompressed content.
func (z *FileReader) Read(p []byte) (n int, err error) {
	if z.err != nil {
		return 0, z.err
	}
	err = guard(func() error {
		n, err = z.z.Read(p)
		return err
	})
	if err != nil && err != io.EOF {
		err = z.explain(err)
	}
	z.err = err
	return n, err
}

// Close frees the reader's resources.
func (z *FileReader) Close() error { return z.z.Close() }

func (z *FileReader) explain(err error) error { return fmt.Errorf("%s%w", z.prefix, err) }

func newZstdFileReader(r *bufio.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(r,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// lz4Frames reads lz4 frames one after the other.
type lz4Frames struct {
	r *bufio.Reader
	z *lz4.Reader
}

func (f *lz4Frames) Read(p []byte) (int, error) {
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

// membersReader reads members that a kernel takes, one after the other.
type membersReader struct {
	r       *bufio.Reader
	current *Reader
}

func newMembersReader(r *bufio.Reader) (io.ReadCloser, error) {
	first, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	return &membersReader{r, first}, nil
}

func (m *membersReader) Read(p []byte) (int, error) {
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
		next, err := NewReader(m.r)
		if err != nil {
			return 0, err
		}
		m.current.Close()
		m.current = next
	}
}

func (m *membersReader) Close() error { return m.current.Close() }
