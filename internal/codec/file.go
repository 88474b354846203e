package codec

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/rules-initramfs/rules_initramfs/internal/codec/lzma"
)

// fileFormats has a row for each format that compression programs write and kernels do not
// take, or take only in part: gzip has more fields, xz other checks and filters, lz4 its
// newer frames. A magic number is that of the format.
var fileFormats = []struct {
	codec      string
	magic      string
	padded     bool // zeros may follow, as on a tape: the program ignores them
	newDecoder func() decoder
}{
	{"gzip", "\x1f\x8b\x08", true, func() decoder { return &gzipFile{} }},
	{"bzip2", "BZh", true, func() decoder { return &bzip2Reader{} }},
	{"xz", lzma.XZMagic, false, func() decoder { return newXZReader(true) }},
	{"lz4", lz4FrameMagic, false, func() decoder { return &lz4File{} }},
	{"zstd", "\x28\xb5\x2f\xfd", false, func() decoder { return &zstdFile{} }},
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
	r      *bufio.Reader
	stream decoder
	// begins is what another stream begins with, and padded is set if zeros may follow.
	begins string
	padded bool
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
	z := &FileReader{r: r}
	for _, f := range fileFormats {
		if bytes.HasPrefix(prefix, []byte(f.magic)) {
			z.codec, z.begins, z.padded, z.stream = f.codec, f.magic, f.padded, f.newDecoder()
		}
	}
	if c := detect(prefix); z.stream == nil && c != nil {
		z.codec, z.begins, z.stream = c.Name, string(prefix[:magicSize]), c.newDecoder()
	}
	if z.stream == nil {
		return nil, ErrNotCompressed
	}
	if err := guard(func() error { return unexpected(z.stream.reset(r)) }); err != nil {
		return nil, z.explain(err)
	}
	return z, nil
}

// Codec returns the name of the codec, such as zstd.
func (z *FileReader) Codec() string { return z.codec }

// Read reads decompressed content.
func (z *FileReader) Read(p []byte) (n int, err error) {
	for z.err == nil && n == 0 && len(p) > 0 {
		err := guard(func() (err error) {
			n, err = z.stream.Read(p)
			if err == io.EOF {
				err = z.next()
			}
			return err
		})
		if err != nil && err != io.EOF {
			err = z.explain(err)
		}
		z.err = err
	}
	if n > 0 {
		return n, nil
	}
	return 0, z.err
}

// next goes to the next stream, or returns io.EOF at the end of the file.
func (z *FileReader) next() error {
	prefix, err := z.r.Peek(len(z.begins))
	switch {
	case len(prefix) == 0:
		return err
	case string(prefix) == z.begins:
		return unexpected(z.stream.reset(z.r))
	case err != nil && err != io.EOF:
		return err
	}
	for z.padded {
		c, err := z.r.ReadByte()
		if err != nil {
			return err
		}
		if c != 0 {
			break
		}
	}
	return lzma.ErrMore
}

// Close frees the reader's resources.
func (z *FileReader) Close() error {
	if closer, ok := z.stream.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

func (z *FileReader) explain(err error) error { return fmt.Errorf("%s: %w", z.codec, err) }

// zstdFile reads all frames, with those to be skipped.
type zstdFile struct{ decoder *zstd.Decoder }

func (f *zstdFile) reset(r *bufio.Reader) (err error) {
	if f.decoder != nil {
		return f.decoder.Reset(r)
	}
	f.decoder, err = newZstdDecoder(r)
	return err
}

func (f *zstdFile) Read(p []byte) (int, error) { return f.decoder.Read(p) }

func (f *zstdFile) Close() error {
	f.decoder.Close()
	return nil
}

// lz4FrameMagic begins a frame of lz4 that is not legacy.
const lz4FrameMagic = "\x04\x22\x4d\x18"

// lz4File reads a frame.
type lz4File struct{ z *lz4.Reader }

func (f *lz4File) reset(r *bufio.Reader) error {
	if f.z == nil {
		f.z = lz4.NewReader(r)
	} else {
		f.z.Reset(r)
	}
	return nil
}

func (f *lz4File) Read(p []byte) (int, error) { return f.z.Read(p) }
