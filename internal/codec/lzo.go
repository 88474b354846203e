package codec

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"

	"github.com/anchore/go-lzo"
)

// The container format of the lzop program, as far as lib/decompress_unlzo.c reads it.
const (
	lzopMagic = "\x89LZO\x00\r\n\x1a\n"
	// lzopBlock is the most that a block holds, in bytes; the writer fills each block.
	lzopBlock = 256 << 10

	lzopVersion     = 0x1030
	lzopWithLevel   = 0x0940 // the first version with a level and a time of 64 bits
	lzopLibrary     = 0x20a0
	lzopMethodLZO1X = 1
	lzopLevel       = 3 // lzop's for this method

	lzopContentAdler32 = 1 << 0
	lzopPackedAdler32  = 1 << 1
	lzopExtra          = 1 << 6
	lzopContentCRC32   = 1 << 8
	lzopPackedCRC32    = 1 << 9
	lzopMultipart      = 1 << 10
	lzopFilter         = 1 << 11
	lzopHeaderCRC32    = 1 << 12
	lzopUnix           = 3 << 24

	// lzopTime is where the header has the lower half of its time.
	lzopTime = len(lzopMagic) + 3*2 + 2*1 + 2*4
)

// newLZOWriter writes what lzop writes for a file without name, mode and time.
func newLZOWriter(w io.Writer, _ int) (io.WriteCloser, error) {
	header := []byte(lzopMagic)
	header = binary.BigEndian.AppendUint16(header, lzopVersion)
	header = binary.BigEndian.AppendUint16(header, lzopLibrary)
	header = binary.BigEndian.AppendUint16(header, lzopWithLevel) // needed to extract
	header = append(header, lzopMethodLZO1X, lzopLevel)
	header = binary.BigEndian.AppendUint32(header, lzopContentAdler32|lzopUnix)
	header = append(header, make([]byte, 4+8+1)...) // mode, time, length of the name
	header = binary.BigEndian.AppendUint32(header, adler32.Checksum(header[len(lzopMagic):]))
	return &lzoWriter{w: w, packed: header, content: make([]byte, 0, lzopBlock)}, nil
}

type lzoWriter struct {
	w       io.Writer
	content []byte // of the block that is being filled
	packed  []byte // what is to be written, beginning with the header
	table   lzo1xTable
	closed  bool
	err     error
}

func (z *lzoWriter) Write(p []byte) (int, error) {
	written := 0
	for z.err == nil && written < len(p) {
		if len(z.content) == lzopBlock {
			z.flush()
			continue
		}
		n := min(len(p)-written, lzopBlock-len(z.content))
		z.content = append(z.content, p[written:written+n]...)
		written += n
	}
	return written, z.err
}

func (z *lzoWriter) Close() error {
	if z.closed || z.err != nil {
		return z.err
	}
	z.closed = true
	if len(z.content) > 0 {
		z.flush()
	}
	z.packed = append(z.packed, 0, 0, 0, 0) // no more blocks
	z.send()
	if z.err == nil {
		z.err = errors.New("lzo: write after close")
		return nil
	}
	return z.err
}

// flush writes a block: its two sizes, the content's checksum, and the content, which is
// compressed if that makes it smaller.
func (z *lzoWriter) flush() {
	size := len(z.content)
	z.packed = binary.BigEndian.AppendUint32(z.packed, uint32(size))
	sizeAt := len(z.packed)
	z.packed = binary.BigEndian.AppendUint32(z.packed, 0)
	z.packed = binary.BigEndian.AppendUint32(z.packed, adler32.Checksum(z.content))
	start := len(z.packed)
	z.packed = appendLZO1X(z.packed, z.content, &z.table)
	if len(z.packed)-start >= size {
		z.packed = append(z.packed[:start], z.content...)
	}
	binary.BigEndian.PutUint32(z.packed[sizeAt:], uint32(len(z.packed)-start))
	z.content = z.content[:0]
	z.send()
}

func (z *lzoWriter) send() {
	if z.err == nil {
		_, z.err = z.w.Write(z.packed)
	}
	z.packed = z.packed[:0]
}

// lzoReader reads as lib/decompress_unlzo.c does, which expects a checksum of four bytes
// in each block, whatever the header says.
type lzoReader struct {
	blockReader
	r               *bufio.Reader
	checksum        func([]byte) uint32
	packedSum       bool // the checksum is of the compressed block
	packed, content []byte
}

func (z *lzoReader) reset(r *bufio.Reader) error {
	flags, err := readLZOPHeader(r)
	if err != nil {
		return err
	}
	if flags&(lzopFilter|lzopExtra|lzopMultipart) != 0 {
		return fmt.Errorf("header with flags %#x: the kernel has no filters, extra fields or parts", flags)
	}
	z.r, z.packedSum, z.blockReader = r, false, blockReader{next: z.nextBlock}
	switch flags & (lzopContentAdler32 | lzopPackedAdler32 | lzopContentCRC32 | lzopPackedCRC32) {
	case lzopContentAdler32:
		z.checksum = adler32.Checksum
	case lzopContentCRC32:
		z.checksum = crc32.ChecksumIEEE
	case lzopPackedAdler32:
		z.checksum, z.packedSum = adler32.Checksum, true
	case lzopPackedCRC32:
		z.checksum, z.packedSum = crc32.ChecksumIEEE, true
	default:
		return fmt.Errorf("header with flags %#x: the kernel needs one checksum in each block", flags)
	}
	return nil
}

// readLZOPHeader returns the flags.
func readLZOPHeader(r *bufio.Reader) (uint32, error) {
	magic := make([]byte, len(lzopMagic))
	if _, err := io.ReadFull(r, magic); err != nil {
		return 0, err
	}
	if string(magic) != lzopMagic {
		return 0, fmt.Errorf("magic number %x: want %x", magic, lzopMagic)
	}
	var header []byte
	more := func(n int) error {
		header = append(header, make([]byte, n)...)
		_, err := io.ReadFull(r, header[len(header)-n:])
		return err
	}
	const versions, method, mode, time, nameSize = 6, 1, 4, 4, 1
	if err := more(versions + method); err != nil {
		return 0, err
	}
	rest := mode + time + nameSize
	if binary.BigEndian.Uint16(header) >= lzopWithLevel {
		if err := more(1); err != nil {
			return 0, err
		}
		rest += 4 // the upper half of the time
	}
	if err := more(4); err != nil {
		return 0, err
	}
	flags := binary.BigEndian.Uint32(header[len(header)-4:])
	if flags&lzopFilter != 0 {
		rest += 4
	}
	if err := more(rest); err != nil {
		return 0, err
	}
	if err := more(int(header[len(header)-1])); err != nil {
		return 0, err
	}
	want := adler32.Checksum(header)
	if flags&lzopHeaderCRC32 != 0 {
		want = crc32.ChecksumIEEE(header)
	}
	if err := more(4); err != nil {
		return 0, err
	}
	if binary.BigEndian.Uint32(header[len(header)-4:]) != want {
		return 0, errors.New("the header does not match its checksum")
	}
	return flags, nil
}

// nextBlock decompresses the next block.
func (z *lzoReader) nextBlock() ([]byte, error) {
	var header [12]byte
	if _, err := io.ReadFull(z.r, header[:4]); err != nil {
		return nil, unexpected(err)
	}
	size := binary.BigEndian.Uint32(header[:])
	if size == 0 {
		return nil, io.EOF
	}
	if size > lzopBlock {
		return nil, fmt.Errorf("block of %d bytes: the kernel takes at most %d", size, lzopBlock)
	}
	if _, err := io.ReadFull(z.r, header[4:]); err != nil {
		return nil, unexpected(err)
	}
	packed := binary.BigEndian.Uint32(header[4:])
	if packed == 0 || packed > size {
		return nil, fmt.Errorf("block of %d bytes with a compressed size of %d", size, packed)
	}
	z.packed = grow(z.packed, int(packed))
	if _, err := io.ReadFull(z.r, z.packed); err != nil {
		return nil, unexpected(err)
	}
	z.content = grow(z.content, int(size))
	if packed == size {
		copy(z.content, z.packed)
	} else if n, err := lzo.Decompress(z.packed, z.content); err != nil {
		return nil, err
	} else if n != int(size) {
		return nil, fmt.Errorf("block of %d bytes decompresses to %d", size, n)
	}
	summed := z.content
	if z.packedSum {
		summed = z.packed
	}
	if binary.BigEndian.Uint32(header[8:]) != z.checksum(summed) {
		return nil, errors.New("a block does not match its checksum")
	}
	return z.content, nil
}
