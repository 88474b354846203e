package codec

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"

	"github.com/ulikunitz/xz/lzma"
)

// lzmaDictionary is the window of the writer, in bytes. The kernel allocates as much to
// decompress (lib/decompress_unlzma.c).
const lzmaDictionary = 8 << 20

// newLZMAWriter writes an end mark instead of a size in the header, because the size is
// not known yet. The header's first two bytes are the ones that the kernel detects: the
// properties, and the lowest byte of the dictionary's size.
func newLZMAWriter(w io.Writer, _ int) (io.WriteCloser, error) {
	// An encoder takes some 90 MiB: free the previous member's first.
	runtime.GC()
	return lzma.WriterConfig{
		Properties: &lzma.Properties{LC: 3, LP: 0, PB: 2},
		DictCap:    lzmaDictionary,
		Matcher:    lzma.HashTable4,
		EOSMarker:  true,
	}.NewWriter(w)
}

// lzmaReader reads one .lzma stream as lib/decompress_unlzma.c does: up to the size in the
// header, or to the end mark.
type lzmaReader struct {
	lzma lzmaDecoder
	r    *bufio.Reader
	left uint64 // content that is not decoded yet; more than any if only a mark ends it
	done bool
	tail [2 * lzmaSymbol]byte
}

func (z *lzmaReader) reset(r *bufio.Reader) error {
	var header [1 + 4 + 8]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	dictionary := uint64(binary.LittleEndian.Uint32(header[1:]))
	z.r, z.left, z.done = r, binary.LittleEndian.Uint64(header[5:]), false
	if size := min(dictionary, z.left); size > maxWindow {
		return fmt.Errorf("dictionary of %d bytes: at most %d are possible", dictionary, maxWindow)
	}
	// A match may be as far away as the header says, and is never before the content.
	z.lzma.begin(int(min(dictionary, maxWindow)))
	if !z.lzma.setProperties(header[0]) {
		return errLZMACorrupt
	}
	z.lzma.resetState()
	return z.lzma.start(nil, z.more)
}

// more gives the decoder what the input has buffered or, at its end, the rest of it with zeros.
func (z *lzmaReader) more() error {
	d := &z.lzma
	if err := d.check(); err != nil {
		return err
	}
	z.r.Discard(d.at)
	rest, err := z.r.Peek(lzmaSymbol)
	switch {
	case err == nil:
		d.in, _ = z.r.Peek(z.r.Buffered())
		d.inputSize = len(d.in)
	case err == io.EOF:
		d.inputSize = len(rest)
		d.in = append(append(z.tail[:0], rest...), make([]byte, lzmaSymbol)...)
	default:
		return err
	}
	d.at = 0
	return nil
}

func (z *lzmaReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for z.lzma.read == z.lzma.end {
		if z.done {
			return 0, io.EOF
		}
		if err := z.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.lzma.unread())
	z.lzma.read += n
	return n, nil
}

func (z *lzmaReader) fill() error {
	n := z.lzma.room(int(min(z.left, lzmaPiece)))
	if err := z.lzma.decode(n); err != nil {
		return err
	}
	z.left -= uint64(n)
	if !z.lzma.ended && z.left > 0 {
		return nil
	}
	z.done = true
	err := z.lzma.finish()
	z.r.Discard(z.lzma.at)
	return err
}
