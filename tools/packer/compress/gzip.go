package compress

import (
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
)

// newGzipWriter writes no optional field: of them the kernel (lib/decompress_inflate.c)
// skips the file name only.
func newGzipWriter(w io.Writer, level int) (io.WriteCloser, error) {
	z, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		return nil, err
	}
	z.ModTime = time.Unix(0, 0) // a zero ModTime is written as a date of its own
	return z, nil
}
