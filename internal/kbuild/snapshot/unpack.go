package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/rules-initramfs/rules_initramfs/internal/untar"
)

// ErrNotSnapshot reports a file that "kernel compile" did not write.
var ErrNotSnapshot = errors.New("not the objects of a compiled kernel")

// Unpack unpacks a snapshot for the architecture arch to the empty directory dir, an absolute
// path. Nothing is written outside of it.
func Unpack(ctx context.Context, r io.Reader, dir, arch string) error {
	z, err := zstd.NewReader(r)
	if err != nil {
		return err
	}
	defer z.Close()
	archive := untar.NewReader(z)
	if err := checkStamp(archive, arch); err != nil {
		return err
	}
	return untar.Extract(ctx, archive, dir, untar.Options{
		ModTime: modTime,
		Rewrite: func(h *tar.Header, content []byte) []byte {
			if h.PAXRecords[relocated] == "" {
				return content
			}
			return bytes.ReplaceAll(content, []byte(placeholder), []byte(dir))
		},
	})
}

// checkStamp reads the first entry of a snapshot.
func checkStamp(archive *untar.Archive, arch string) error {
	h, err := archive.Next()
	if err != nil || h.Name != stamp || h.Size > 64 {
		return ErrNotSnapshot
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		return ErrNotSnapshot
	}
	version, builtFor, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	switch {
	case version != stampVersion:
		return fmt.Errorf("%w: their format is %s, not %s: compile the kernel again", ErrNotSnapshot, version, stampVersion)
	case builtFor != arch:
		return fmt.Errorf("a kernel for %s cannot be linked for %s: build both for one platform", builtFor, arch)
	}
	return nil
}
