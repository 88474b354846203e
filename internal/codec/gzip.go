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

// gzipMost is the highest level of the library that is worth its time: the one above
// takes five times as long for less than a thousandth of the bytes, so level 9 is the
// same as 8.
const gzipMost = 8

// newGzipWriter writes no optional field: of them the kernel (lib/decompress_inflate.c)
// skips the file name only.
func newGzipWriter(w io.Writer, level int) (io.WriteCloser, error) {
	z, err := gzip.NewWriterLevel(w, min(level, gzipMost))
	if err != nil {
		return nil, err
	}
	z.ModTime = time.Unix(0, 0) // a zero ModTime is written as a date of its own
	return z, nil
}

// The optional fields of a gzip header (RFC 1952).
const (
	gzipHeaderSum = 1 << 1
	gzipExtra     = 1 << 2
	gzipName      = 1 << 3
	gzipComment   = 1 << 4
)

// gzipReader reads the header as lib/decompress_inflate.c does: no library takes
// a file name of any length.
type gzipReader struct {
	r       *bufio.Reader
	deflate io.ReadCloser
	sum     uint32 // CRC-32 of what was read
	size    uint32 // its length, modulo 4 GiB
}

func newGzipReader(r *bufio.Reader) (io.Reader, error) {
	var header [10]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	if header[1] != 0x8b || header[2] != 8 {
		return nil, fmt.Errorf("header %x: want 1f8b08", header[:3])
	}
	flags := header[3]
	for _, field := range []struct {
		flag byte
		name string
	}{{gzipHeaderSum, "a checksum"}, {gzipExtra, "an extra field"}, {gzipComment, "a comment"}} {
		if flags&field.flag != 0 {
			return nil, fmt.Errorf("header with %s: the kernel does not skip it", field.name)
		}
	}
	if flags&gzipName != 0 {
		for {
			c, err := r.ReadByte()
			if err != nil {
				return nil, err
			}
			if c == 0 {
				break
			}
		}
	}
	return &gzipReader{r: r, deflate: flate.NewReader(r)}, nil
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
		return n, errors.New("checksum or length differs from the content's")
	}
	return n, io.EOF
}

func (z *gzipReader) Close() error { return z.deflate.Close() }
