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

// ErrNoBootconfig reports an image without a boot configuration.
var ErrNoBootconfig = errors.New("no boot configuration")

// readBootconfigData reads the data of a boot configuration.
func readBootconfigData(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the boot configuration: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, image.MaxBootconfig+1))
	at := bytes.IndexByte(data, 0)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the boot configuration: %w", err)
	case len(data) >= image.MaxBootconfig:
		return nil, fmt.Errorf("%s: a boot configuration must have less than %d bytes", name, image.MaxBootconfig)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, fmt.Errorf("%s: the boot configuration is empty, which the kernel refuses", name)
	case at >= 0:
		return nil, fmt.Errorf("%s: byte %d of the boot configuration is a NUL, where it would end", name, at)
	}
	return data, nil
}

// openRegular opens an image that is read several times.
func openRegular(ctx context.Context, name string) (*image.Image, error) {
	img, err := image.Open(ctx, name)
	if err == nil && img.Size < 0 {
		img.Close()
		return nil, fmt.Errorf("%s is not a regular file, and is read several times", name)
	}
	return img, err
}

// copyFirst copies the first size bytes of an image.
func copyFirst(ctx context.Context, w io.Writer, img *image.Image, size int64) error {
	n, err := io.Copy(w, source.ContextReader(ctx, img.First(size)))
	if err == nil && n != size {
		err = fmt.Errorf("%s changed while it was read", img.Name)
	}
	return err
}

// Bootconfig returns the data of the boot configuration at the end of the image in a file,
// without the NULs at its end.
func Bootconfig(ctx context.Context, name string) ([]byte, error) {
	img, err := openRegular(ctx, name)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	data, err := img.BootconfigData()
	if err == nil && img.Bootconfig == 0 {
		err = ErrNoBootconfig
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// ApplyBootconfig writes the image in a file to out with the data in another file as its
// boot configuration. It replaces the one that the image may have.
func ApplyBootconfig(ctx context.Context, name, dataName, out string) error {
	data, err := readBootconfigData(dataName)
	if err != nil {
		return err
	}
	return replaceBootconfig(ctx, name, out, data)
}

// RemoveBootconfig writes the image in a file to out without the boot configuration that
// it may have.
func RemoveBootconfig(ctx context.Context, name, out string) error {
	return replaceBootconfig(ctx, name, out, nil)
}

func replaceBootconfig(ctx context.Context, name, out string, data []byte) error {
	img, err := openRegular(ctx, name)
	if err != nil {
		return err
	}
	defer img.Close()
	if _, err := img.BootconfigData(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return replaceFile(ctx, out, func(w io.Writer) error {
		j := image.NewJoiner(w)
		if err := copyFirst(ctx, j, img, img.Size-img.Bootconfig); err != nil || data == nil {
			return err
		}
		return j.WriteBootconfig(data)
	})
}

// replaceFile writes a file that has its name once it is whole.
func replaceFile(ctx context.Context, name string, content func(io.Writer) error) error {
	o, err := createOutput(name)
	if err != nil {
		return &writeError{err}
	}
	defer o.discard()
	if err := content(contextWriter{ctx, o}); err != nil {
		return err
	}
	if err := o.finish(); err != nil {
		return &writeError{err}
	}
	if err := o.commit(); err != nil {
		return &writeError{err}
	}
	return nil
}
