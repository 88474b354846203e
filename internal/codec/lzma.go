package codec

import (
	"bufio"
	"io"
	"runtime"

	xzlzma "github.com/ulikunitz/xz/lzma"

	"github.com/rules-initramfs/rules_initramfs/internal/codec/lzma"
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
	return xzlzma.WriterConfig{
		Properties: &xzlzma.Properties{LC: 3, LP: 0, PB: 2},
		DictCap:    lzmaDictionary,
		Matcher:    xzlzma.HashTable4,
		EOSMarker:  true,
	}.NewWriter(w)
}

// lzmaReader reads one .lzma stream.
type lzmaReader struct{ lzma.Reader }

func (z *lzmaReader) reset(r *bufio.Reader) error { return z.Reset(r) }
