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

func newLZMAReader(r *bufio.Reader) (io.Reader, error) {
	const rangeCoder = 5 // bytes before the first bit
	header, err := r.Peek(lzma.HeaderLen)
	if err != nil {
		return nil, err
	}
	if dictionary := binary.LittleEndian.Uint32(header[1:]); dictionary > maxWindow {
		return nil, fmt.Errorf("dictionary of %d bytes: at most %d are possible", dictionary, maxWindow)
	}
	if binary.LittleEndian.Uint64(header[5:]) == 0 {
		// The library needs at least one symbol; the kernel does not.
		_, err := r.Discard(lzma.HeaderLen + rangeCoder)
		return eofReader{}, err
	}
	return lzma.ReaderConfig{DictCap: maxWindow}.NewReader(r)
}

// eofReader has no content.
type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }
