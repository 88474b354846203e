package codec

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// gzipMost is the highest level of the library that is worth its time. The next one takes
// five times as long to save less than a thousandth of the bytes, so level 9 is the same
// as 8.
const gzipMost = 8

// gzipTime is where the header has its time (RFC 1952).
const gzipTime = 4

// newGzipWriter writes none of the optional fields: the kernel
// (lib/decompress_inflate.c) skips only one of them, the file name.
func newGzipWriter(w io.Writer, level int) (io.WriteCloser, error) {
	z, err := gzip.NewWriterLevel(w, min(level, gzipMost))
	if err != nil {
		return nil, err
	}
	z.ModTime = time.Unix(0, 0) // a zero ModTime is written as another date
	return z, nil
}

// The optional fields of a gzip header (RFC 1952).
const (
	gzipHeaderSum = 1 << 1
	gzipExtra     = 1 << 2
	gzipName      = 1 << 3
	gzipComment   = 1 << 4
)

// gzipReader reads the header as lib/decompress_inflate.c does: libraries limit the length
// of the file name.
type gzipReader struct {
	r       *bufio.Reader
	deflate io.Reader
	sum     uint32 // CRC-32 of the content so far
	size    uint32 // its length, modulo 4 GiB
}

func (z *gzipReader) reset(r *bufio.Reader) error {
	var header [10]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	if header[1] != 0x8b || header[2] != 8 {
		return fmt.Errorf("header %x: want 1f8b08", header[:3])
	}
	flags := header[3]
	for _, field := range []struct {
		flag byte
		name string
	}{{gzipHeaderSum, "a checksum"}, {gzipExtra, "an extra field"}, {gzipComment, "a comment"}} {
		if flags&field.flag != 0 {
			return fmt.Errorf("header with %s, which the kernel does not skip", field.name)
		}
	}
	if flags&gzipName != 0 {
		for {
			c, err := r.ReadByte()
			if err != nil {
				return err
			}
			if c == 0 {
				break
			}
		}
	}
	z.r, z.sum, z.size = r, 0, 0
	if z.deflate == nil {
		z.deflate = flate.NewReader(r)
		return nil
	}
	return z.deflate.(flate.Resetter).Reset(r, nil)
}

func (z *gzipReader) Read(p []byte) (int, error) {
	n, err := z.deflate.Read(p)
	z.sum = crc32.Update(z.sum, crc32.IEEETable, p[:n])
	z.size += uint32(n)
	if err != io.EOF {
		return n, err
	}
	var trailer [8]byte
	if _, err := io.ReadFull(z.r, trailer[:]); err != nil {
		return n, unexpected(err)
	}
	if binary.LittleEndian.Uint32(trailer[:]) != z.sum || binary.LittleEndian.Uint32(trailer[4:]) != z.size {
		return n, errors.New("checksum or length does not match the content")
	}
	return n, io.EOF
}

// gzipFile reads what the program gzip reads.
type gzipFile struct{ z *gzip.Reader }

func (f *gzipFile) reset(r *bufio.Reader) (err error) {
	if f.z == nil {
		f.z, err = gzip.NewReader(r)
	} else {
		err = f.z.Reset(r)
	}
	if err == nil {
		f.z.Multistream(false)
	}
	return err
}

func (f *gzipFile) Read(p []byte) (int, error) { return f.z.Read(p) }
