package codec

import (
	"bufio"
	"bytes"
	"io"

	"github.com/dsnet/compress/bzip2"
)

// newBzip2Writer writes blocks that are 100,000 bytes smaller than the size in the header,
// which is level times 100,000; level 1 is level 2. The reason is that the library fills
// blocks to the last byte and the kernel refuses a run that ends there (get_next_block in
// lib/decompress_bunzip2.c). The program bzip2 leaves room for it.
func newBzip2Writer(w io.Writer, level int) (io.WriteCloser, error) {
	level = max(level, 2)
	return bzip2.NewWriter(&bzip2Leveler{w: w, level: level}, &bzip2.WriterConfig{Level: level - 1})
}

// bzip2Leveler passes a stream on with another level in its header, "BZh" LEVEL.
type bzip2Leveler struct {
	w       io.Writer
	level   int
	written int64
}

func (r *bzip2Leveler) Write(p []byte) (int, error) {
	const at = bzip2Header - 1
	if r.written <= at && at < r.written+int64(len(p)) {
		p = bytes.Clone(p)
		p[at-r.written] = '0' + byte(r.level)
	}
	n, err := r.w.Write(p)
	r.written += int64(n)
	return n, err
}

type bzip2Reader struct {
	stream bzip2Stream
	z      *bzip2.Reader
}

func (z *bzip2Reader) reset(r *bufio.Reader) (err error) {
	if z.z == nil {
		z.z, err = bzip2.NewReader(&z.stream, nil)
	} else {
		err = z.z.Reset(&z.stream)
	}
	z.stream = bzip2Stream{r: r, z: z.z}
	return err
}

func (z *bzip2Reader) Read(p []byte) (int, error) { return z.z.Read(p) }

// bzip2Stream ends at the end of the first stream; the library would continue with what
// follows. If the library gets one byte at a time, it reads no more than it needs. At the
// end of each piece, which is a block or the stream's end, its InputOffset says how much
// that was. The stream's end is shorter than any block.
type bzip2Stream struct {
	r     *bufio.Reader
	z     *bzip2.Reader
	begun int64 // where the current piece began
}

const (
	bzip2Header = 4  // size of the stream's header, which is read with the first piece
	bzip2End    = 10 // size of its end, a magic number and a checksum; a block has at least 18
)

func (s *bzip2Stream) ReadByte() (byte, error) {
	if size := s.z.InputOffset - s.begun; size > 0 {
		if s.begun == 0 {
			size -= bzip2Header
		}
		if size <= bzip2End {
			return 0, io.EOF
		}
		s.begun = s.z.InputOffset
	}
	return s.r.ReadByte()
}

// Read makes bzip2Stream an io.Reader. The library calls ReadByte only.
func (s *bzip2Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := s.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}
