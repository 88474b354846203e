package codec

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"

	"github.com/ulikunitz/xz/lzma"
)

// lzmaDictionary is the window that we write with, in bytes. The kernel allocates
// that much to unpack (lib/decompress_unlzma.c).
const lzmaDictionary = 8 << 20

// newLZMAWriter writes no size to the header, for it is not known, and an end
// mark instead. The header's first two bytes are those that the kernel detects:
// the properties, of which there are more, and the lowest of the dictionary.
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
		return nil, fmt.Errorf("dictionary of %d bytes: %d is the most", dictionary, maxWindow)
	}
	if binary.LittleEndian.Uint64(header[5:]) == 0 {
		// The library wants a symbol at least; the kernel does not.
		_, err := r.Discard(lzma.HeaderLen + rangeCoder)
		return eofReader{}, err
	}
	return lzma.ReaderConfig{DictCap: maxWindow}.NewReader(r)
}

// eofReader is at its end.
type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }
