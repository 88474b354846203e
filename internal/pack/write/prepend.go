package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// early is an archive that an image begins with, such as one of microcode: the kernel
// looks into it before it unpacks anything.
type early struct {
	file *os.File
	size int64
}

// openEarly opens an archive and checks that the kernel can read it.
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
		return nil, errors.New("an early archive is read twice: this is not a regular file")
	}
	var first [6]byte
	if _, err := io.ReadFull(file, first[:]); err != nil || !bytes.HasPrefix(first[:], []byte("07070")) {
		return nil, errors.New("not an early archive: it must begin with an uncompressed archive, such as cpio -o -H newc makes")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img := image.NewReader(source.ContextReader(ctx, file))
	defer img.Close()
	if err := image.CheckEarly(img); err != nil {
		return nil, err
	}
	return &early{file, info.Size()}, nil
}

// read visits the entries of the archive.
func (e *early) read(ctx context.Context, visit func(*image.Entry) error) error {
	if _, err := e.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	img := image.NewReader(source.ContextReader(ctx, e.file))
	defer img.Close()
	for {
		r, err := img.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = visit(r)
		}
		if err != nil {
			return err
		}
	}
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
