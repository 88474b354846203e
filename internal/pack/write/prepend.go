package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// early is an archive for the front of an image, such as microcode: what the
// kernel looks into before it unpacks anything.
type early struct {
	file *os.File
	size int64
}

// openEarly opens an archive and checks that find_cpio_data in lib/earlycpio.c can
// read it, from its first byte to its last, and finds names where it looks for
// them.
func openEarly(ctx context.Context, name string) (e *early, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the early archive: %w", err)
	}
	defer func() {
		if err != nil {
			file.Close()
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("an early archive is read twice: this is no regular file")
	}
	var first [6]byte
	if _, err := io.ReadFull(file, first[:]); err != nil || !bytes.HasPrefix(first[:], []byte("07070")) {
		return nil, errors.New("no early archive: it must begin with an archive that is not compressed, as cpio -o -H newc makes it")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img := image.NewReader(source.ContextReader(ctx, file))
	defer img.Close()
	for {
		e, err := img.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if codec := img.Members()[e.Member].Codec; codec != image.Uncompressed {
			return nil, fmt.Errorf("no early archive: from byte %d on it is compressed (%s), where the kernel does not look; packer concat joins images",
				img.Members()[e.Member].Offset, codec)
		}
		if e.Type() == cpio.TypeRegular && (strings.HasPrefix(e.Name, "/") || strings.HasPrefix(e.Name, "./")) {
			return nil, fmt.Errorf("%s: the kernel looks for names without / or ./ in front, and does not find this one", e.Name)
		}
	}
	if !img.Trailer() {
		return nil, errors.New("no trailer at its end: it may have been cut off, which cannot be told")
	}
	return &early{file, info.Size()}, nil
}

// writeTo copies the archive.
func (e *early) writeTo(ctx context.Context, w io.Writer) error {
	if _, err := e.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(w, source.ContextReader(ctx, e.file))
	if err == nil && n != e.size {
		err = fmt.Errorf("%s changed while it was read", e.file.Name())
	}
	return err
}

// writeZeros writes n zeros.
func writeZeros(w io.Writer, n int64) error {
	_, err := io.CopyN(w, zeros{}, n)
	return err
}

// zeros reads zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
