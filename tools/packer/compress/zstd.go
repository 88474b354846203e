package compress

import (
	"io"

	"github.com/klauspost/compress/zstd"
)

// newZstdWriter maps the levels of the zstd program to the library's four. Their
// windows are at most 32 MiB; the kernel takes 128 MiB (lib/decompress_unzstd.c).
func newZstdWriter(w io.Writer, level int) (io.WriteCloser, error) {
	return zstd.NewWriter(w,
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)),
		// The same for every number of cores: with one the library may write other bytes.
		zstd.WithEncoderConcurrency(2))
}
