package codec

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// zstdBetterWindow is the window of levels 6 to 9, in bytes. It is four times the
// library's, to find the matches that the zstd program finds at these levels. The kernel
// takes up to 128 MiB (lib/decompress_unzstd.c) and needs as much memory as the window
// is large to decompress.
const zstdBetterWindow = 32 << 20

// newZstdWriter maps the levels of the zstd program to the library's four, whose windows
// are at most 32 MiB.
func newZstdWriter(w io.Writer, level int) (io.WriteCloser, error) {
	strength := zstd.EncoderLevelFromZstd(level)
	opts := []zstd.EOption{
		zstd.WithEncoderLevel(strength),
		// The same for any number of cores: with one, the library may write other bytes.
		zstd.WithEncoderConcurrency(2),
	}
	switch strength {
	case zstd.SpeedBetterCompression:
		opts = append(opts, zstd.WithWindowSize(zstdBetterWindow))
	case zstd.SpeedBestCompression:
		// An encoder takes some 50 MiB: free the previous member's first.
		runtime.GC()
	}
	return zstd.NewWriter(w, opts...)
}

// MemberSize returns the default size of a member before compression, in bytes. It
// depends on the codec and level alone: DefaultMemberSize, and four times that for
// levels of zstd with a larger window.
func (c Compression) MemberSize() int64 {
	if c.codec != nil && c.codec.Name == "zstd" && zstd.EncoderLevelFromZstd(c.level) == zstd.SpeedBetterCompression {
		return 4 * DefaultMemberSize
	}
	return DefaultMemberSize
}

// zstdReader gives the library only one frame, because it would read what follows too.
type zstdReader struct {
	frame   *zstdFrame
	decoder *zstd.Decoder
}

func (z *zstdReader) reset(r *bufio.Reader) error {
	frame, err := newZstdFrame(r)
	if err != nil {
		return err
	}
	z.frame = frame
	if z.decoder != nil {
		return z.decoder.Reset(frame)
	}
	z.decoder, err = newZstdDecoder(frame)
	return err
}

func newZstdDecoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r,
		zstd.WithDecoderConcurrency(1), // in the caller's goroutine
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
}

func (z *zstdReader) Read(p []byte) (int, error) {
	n, err := z.decoder.Read(p)
	if err == io.EOF && !z.frame.ended() {
		return n, errors.New("the content ends before the frame")
	}
	return n, err
}

func (z *zstdReader) Close() error {
	if z.decoder != nil {
		z.decoder.Close()
	}
	return nil
}

// zstdFrame reads the bytes of one frame, by the sizes in its block headers (RFC 8878),
// and ends at its end.
type zstdFrame struct {
	r        *bufio.Reader
	header   []byte // of the frame or a block: the bytes that are not read yet
	body     int    // number of bytes of a block or the checksum that are not read yet
	checksum bool   // a checksum follows
	last     bool   // no block follows
}

const zstdMagic uint32 = 0xfd2fb528

func newZstdFrame(r *bufio.Reader) (*zstdFrame, error) {
	header := make([]byte, 5, 18)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	if magic := binary.LittleEndian.Uint32(header); magic != zstdMagic {
		return nil, fmt.Errorf("magic number %#x: want %#x", magic, zstdMagic)
	}
	descriptor := header[4]
	oneSegment := descriptor&(1<<5) != 0
	contentSize := []int{0, 2, 4, 8}[descriptor>>6]
	if oneSegment && contentSize == 0 {
		contentSize = 1
	}
	dictionary := []int{0, 1, 2, 4}[descriptor&3]
	if dictionary != 0 {
		return nil, errors.New("frame with a dictionary, which the kernel does not have")
	}
	window := 1
	if oneSegment {
		window = 0
	}
	header = header[:5+window+contentSize]
	if _, err := io.ReadFull(r, header[5:]); err != nil {
		return nil, err
	}
	if size := zstdWindow(header[5:], oneSegment); size > maxWindow {
		return nil, fmt.Errorf("window of %d bytes: the kernel takes at most %d", size, maxWindow)
	}
	return &zstdFrame{r: r, header: header, checksum: descriptor&(1<<2) != 0}, nil
}

// zstdWindow returns the size of the window in bytes. fields are those after the frame
// header's descriptor. A frame of one segment has no window of its own: the size is that
// of the content.
func zstdWindow(fields []byte, oneSegment bool) uint64 {
	if !oneSegment {
		base := uint64(1) << (10 + fields[0]>>3)
		return base + base/8*uint64(fields[0]&7)
	}
	switch len(fields) {
	case 1:
		return uint64(fields[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(fields)) + 256
	case 4:
		return uint64(binary.LittleEndian.Uint32(fields))
	}
	return binary.LittleEndian.Uint64(fields)
}

func (f *zstdFrame) ended() bool {
	return f.last && !f.checksum && f.body == 0 && len(f.header) == 0
}

func (f *zstdFrame) Read(p []byte) (int, error) {
	for f.body == 0 && len(f.header) == 0 {
		if f.ended() {
			return 0, io.EOF
		}
		if err := f.next(); err != nil {
			return 0, unexpected(err)
		}
	}
	if len(f.header) > 0 {
		n := copy(p, f.header)
		f.header = f.header[n:]
		return n, nil
	}
	n, err := f.r.Read(p[:min(len(p), f.body)])
	f.body -= n
	return n, unexpected(err)
}

// next begins the next block, or the checksum after the last.
func (f *zstdFrame) next() error {
	if f.last {
		f.checksum, f.body = false, 4
		return nil
	}
	var header [3]byte
	if _, err := io.ReadFull(f.r, header[:]); err != nil {
		return err
	}
	bits := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	f.header, f.last, f.body = header[:], bits&1 != 0, bits>>3
	const runLength = 1
	if bits>>1&3 == runLength {
		f.body = 1
	}
	return nil
}
