package lzma

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// A Reader reads one .lzma stream as lib/decompress_unlzma.c does: up to the size in the
// header, or to the end mark.
type Reader struct {
	lzma lzmaDecoder
	r    *bufio.Reader
	left uint64 // content that is not decoded yet; more than any if only a mark ends it
	done bool
	tail [2 * lzmaSymbol]byte
}

// Reset begins with the stream that r begins with. Reading it to io.EOF leaves r at the
// first byte after it. The buffer of r holds 32 bytes or more. Memory that was allocated for earlier streams is used again.
func (z *Reader) Reset(r *bufio.Reader) error {
	var header [1 + 4 + 8]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	dictionary := uint64(binary.LittleEndian.Uint32(header[1:]))
	z.r, z.left, z.done = r, binary.LittleEndian.Uint64(header[5:]), false
	if size := min(dictionary, z.left); size > MaxWindow {
		return fmt.Errorf("dictionary of %d bytes: at most %d are possible", dictionary, MaxWindow)
	}
	// A match may be as far away as the header says, and is never before the content.
	z.lzma.begin(int(min(dictionary, MaxWindow)))
	if !z.lzma.setProperties(header[0]) {
		return errLZMACorrupt
	}
	z.lzma.resetState()
	return z.lzma.start(nil, z.more)
}

// more gives the decoder what the input has buffered or, at its end, the rest of it with zeros.
func (z *Reader) more() error {
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

// Read reads the content of the stream.
func (z *Reader) Read(p []byte) (int, error) {
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

func (z *Reader) fill() error {
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
