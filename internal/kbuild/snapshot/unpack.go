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

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/untar"
)

// ErrNotSnapshot reports a file that Pack did not write, or not with the same kind.
var ErrNotSnapshot = errors.New("not a snapshot of a kernel")

// Unpack unpacks a snapshot of a kind for the architecture arch to the empty directory dir, an
// absolute path. Nothing is written outside of it.
func Unpack(ctx context.Context, r io.Reader, kind Kind, dir, arch string) error {
	z, err := zstd.NewReader(r)
	if err != nil {
		return err
	}
	defer z.Close()
	archive := untar.NewReader(z)
	if err := checkStamp(archive, kind, arch); err != nil {
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
func checkStamp(archive *untar.Archive, kind Kind, arch string) error {
	wrong := fmt.Errorf("%w: want %s", ErrNotSnapshot, kind.what())
	h, err := archive.Next()
	if err != nil || h.Name != stamp || h.Size > 64 {
		return wrong
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		return wrong
	}
	version, rest, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	found, builtFor, _ := strings.Cut(rest, " ")
	switch {
	case version != stampVersion:
		return fmt.Errorf("%w in the format %s, but in %q: make it again", wrong, stampVersion, version)
	case Kind(found) != kind:
		return fmt.Errorf("%w, and this is %s", wrong, Kind(found).what())
	case builtFor != arch:
		return fmt.Errorf("made for %s and not for %s: build both for one platform", printable.Text(builtFor), arch)
	}
	return nil
}
