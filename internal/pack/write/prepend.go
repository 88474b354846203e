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
		return nil, errors.New("an early archive is read twice, and this is not a regular file")
	}
	var first [6]byte
	if _, err := io.ReadFull(file, first[:]); err != nil || !bytes.HasPrefix(first[:], []byte("07070")) {
		return nil, errors.New("not an early archive: it must begin with an archive that is not compressed, as cpio -o -H newc makes it")
	}
	e = &early{file, info.Size()}
	err = e.read(ctx, func(r *image.Entry) error {
		if r.Type() == cpio.TypeRegular && (strings.HasPrefix(r.Name, "/") || strings.HasPrefix(r.Name, "./")) {
			return fmt.Errorf("%s: the kernel looks for names without a leading / or ./ and does not find this one", r.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// read visits the entries of the archive, and checks that it has a trailer and that the
// kernel can read all of it.
func (e *early) read(ctx context.Context, visit func(*image.Entry) error) error {
	if _, err := e.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	img := image.NewReader(source.ContextReader(ctx, e.file))
	defer img.Close()
	for {
		r, err := img.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if m := img.Members()[r.Member]; m.Codec != image.Uncompressed {
			return fmt.Errorf("not an early archive: it is compressed (%s) from byte %d on, where the kernel does not look; packer concat joins images", m.Codec, m.Offset)
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	if !img.Trailer() {
		return errors.New("it ends without a trailer, so it may have been cut off")
	}
	return nil
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
