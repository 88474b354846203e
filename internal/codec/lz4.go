package codec

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"
)

const (
	lz4Magic = 0x184c2102 // of the legacy frame, the only one that the kernel knows
	// lz4Block is the most that a block holds, in bytes (lib/decompress_unlz4.c); the
	// writer fills each block.
	lz4Block = 8 << 20
)

var lz4Levels = [...]lz4.CompressionLevel{
	1: lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5,
	lz4.Level6, lz4.Level7, lz4.Level8, lz4.Level9,
}

// newLZ4Writer writes a legacy frame. A kernel image has its size after the frame, and
// an archive does not.
func newLZ4Writer(w io.Writer, level int) (io.WriteCloser, error) {
	z := lz4.NewWriter(w)
	if err := z.Apply(
		lz4.LegacyOption(true),
		lz4.CompressionLevelOption(lz4Levels[level]),
		lz4.ConcurrencyOption(1),
	); err != nil {
		return nil, err
	}
	return lz4Writer{z}, nil
}

// lz4Writer hides the library's ReadFrom, which ends a block at the end of each input.
type lz4Writer struct{ z *lz4.Writer }

func (w lz4Writer) Write(p []byte) (int, error) { return w.z.Write(p) }
func (w lz4Writer) Close() error                { return w.z.Close() }

// lz4Reader reads block by block, as lib/decompress_unlz4.c does.
type lz4Reader struct {
	blockReader
	r       *bufio.Reader
	packed  []byte
	content []byte
}

func (z *lz4Reader) reset(r *bufio.Reader) error {
	magic, err := r.Peek(4)
	if err != nil {
		return err
	}
	if magic := binary.LittleEndian.Uint32(magic); magic != lz4Magic {
		return fmt.Errorf("magic number %#x: the kernel takes only the legacy frame, %#x", magic, lz4Magic)
	}
	_, err = r.Discard(4)
	z.r, z.blockReader = r, blockReader{next: z.nextBlock}
	return err
}

// nextBlock decompresses the next block. Fewer than four bytes are not a block: the kernel
// treats them as what follows the frame.
func (z *lz4Reader) nextBlock() ([]byte, error) {
	word, err := z.r.Peek(4)
	if err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(word)
	if size == 0 {
		return nil, io.EOF
	}
	if _, err := z.r.Discard(4); err != nil {
		return nil, err
	}
	if size == lz4Magic {
		return nil, nil
	}
	if size > uint32(lz4.CompressBlockBound(lz4Block)) {
		return nil, fmt.Errorf("block of %d bytes: the kernel takes at most %d, "+
			"and needs 4 zero bytes before a member of another codec", size, lz4.CompressBlockBound(lz4Block))
	}
	z.packed = grow(z.packed, int(size))
	if _, err := io.ReadFull(z.r, z.packed); err != nil {
		return nil, unexpected(err)
	}
	const mostPerByte = 255 // of content for each compressed byte, by the format
	z.content = grow(z.content, int(min(int64(size)*mostPerByte, lz4Block)))
	n, err := lz4.UncompressBlock(z.packed, z.content)
	if err != nil {
		return nil, fmt.Errorf("corrupt block, or a block of more than %d bytes: %w", lz4Block, err)
	}
	return z.content[:n], nil
}
