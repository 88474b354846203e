package linked

import (
	"context"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
)

// isImage reports whether r begins as an initramfs image does.
func isImage(ctx context.Context, r *io.SectionReader) bool {
	img := image.NewReader(interrupt.Reader(ctx, io.NewSectionReader(r, 0, r.Size())))
	defer img.Close()
	_, err := img.Next()
	return err == nil || err == io.EOF && img.Trailer()
}
