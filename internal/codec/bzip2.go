package codec

import (
	"bufio"
	"bytes"
	"io"

	"github.com/dsnet/compress/bzip2"
)

// newBzip2Writer writes blocks of 100,000 bytes less than the header has room for,
// which level says in units of that size; level 1 is level 2. The library fills
// blocks to the last byte, and the kernel refuses a run that ends there
// (get_next_block in lib/decompress_bunzip2.c), for which the program bzip2 leaves
// room.
func newBzip2Writer(w io.Writer, level int) (io.WriteCloser, error) {
	level = max(level, 2)
	return bzip2.NewWriter(&bzip2Roomy{w: w, level: level}, &bzip2.WriterConfig{Level: level - 1})
}

// bzip2Roomy writes another level into the header "BZh" LEVEL of what it passes on.
type bzip2Roomy struct {
	w       io.Writer
	level   int
	written int64
}

func (r *bzip2Roomy) Write(p []byte) (int, error) {
	const at = bzip2Header - 1
	if r.written <= at && at < r.written+int64(len(p)) {
		p = bytes.Clone(p)
		p[at-r.written] = '0' + byte(r.level)
	}
	n, err := r.w.Write(p)
	r.written += int64(n)
	return n, err
}

func newBzip2Reader(r *bufio.Reader) (io.Reader, error) {
	stream := &bzip2Stream{r: r}
	z, err := bzip2.NewReader(stream, nil)
	stream.z = z
	return z, err
}

// bzip2Stream ends where the first stream does: the library would go on with
// what follows. Given a byte at a time the library takes no more than it needs,
// and at the end of each part, a block or the stream's end, it tells how much
// that was. A stream's end is known by being shorter than any block.
type bzip2Stream struct {
	r     *bufio.Reader
	z     *bzip2.Reader
	begun int64 // where the part that is being read began
}

const (
	bzip2Header = 4  // bytes of the stream's header, read with the first part
	bzip2End    = 10 // and of its end: magic number and checksum; a block has 18 at least
)

func (s *bzip2Stream) ReadByte() (byte, error) {
	if part := s.z.InputOffset - s.begun; part > 0 {
		if s.begun == 0 {
			part -= bzip2Header
		}
		if part <= bzip2End {
			return 0, io.EOF
		}
		s.begun = s.z.InputOffset
	}
	return s.r.ReadByte()
}

// Read is not called: the library has bytes for whoever has ReadByte.
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
