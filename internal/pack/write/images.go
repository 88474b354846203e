package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
)

// ErrNoBootconfig reports an image without a boot configuration.
var ErrNoBootconfig = errors.New("no boot configuration")

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

// openRegular opens an image in a regular file, which can be read several times.
func openRegular(ctx context.Context, name string) (*image.Image, error) {
	img, err := image.Open(ctx, name)
	if err == nil && img.Size < 0 {
		img.Close()
		return nil, fmt.Errorf("%s is not a regular file, and is read several times", name)
	}
	return img, err
}

func copyFirst(ctx context.Context, w io.Writer, img *image.Image, size int64) error {
	n, err := io.Copy(w, interrupt.Reader(ctx, img.First(size)))
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

// ReplaceBootconfig writes the image in a file to out with the data in another file in place
// of the boot configuration that it may have; without one if dataName is empty.
func ReplaceBootconfig(ctx context.Context, name, dataName, out string) error {
	var data []byte
	if dataName != "" {
		var err error
		if data, err = readBootconfigData(dataName); err != nil {
			return err
		}
	}
	img, err := openRegular(ctx, name)
	if err != nil {
		return err
	}
	defer img.Close()
	if _, err := img.BootconfigData(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return File(ctx, out, func(w io.Writer) error {
		j := image.NewJoiner(w)
		if err := copyFirst(ctx, j, img, img.Size-img.Bootconfig); err != nil || data == nil {
			return err
		}
		return j.WriteBootconfig(data)
	})
}

// Concat joins images into one, which unpacks as they would one after the other. Concat
// reads each to its end first: it must be whole. image.Joiner says what comes between
// two. warn is called about an image without a trailer, which may have been cut off.
func Concat(ctx context.Context, names []string, out string, warn func(message string)) error {
	images := make([]*image.Image, 0, len(names))
	defer func() {
		for _, img := range images {
			img.Close()
		}
	}()
	for i, name := range names {
		img, err := openRegular(ctx, name)
		if err != nil {
			return err
		}
		images = append(images, img)
		for err == nil {
			_, err = img.Next()
		}
		switch {
		case err != io.EOF:
			return fmt.Errorf("%s: %w", name, err)
		case len(img.Members()) == 0:
			return fmt.Errorf("%s: not an image: nothing is in it", name)
		case img.Bootconfig > 0 && i < len(names)-1:
			return fmt.Errorf("%s: it ends with a boot configuration, which counts at the end of the last image only: remove it with packer bootconfig --remove", name)
		case !img.Trailer():
			warn(name + ": no trailer at its end: it may have been cut off, which the kernel does not see")
		}
	}
	return File(ctx, out, func(w io.Writer) error {
		j := image.NewJoiner(w)
		for i, img := range images {
			if err := copyFirst(ctx, j, img, img.Size); err != nil || i == len(images)-1 {
				return err
			}
			members := img.Members()
			if err := j.EndPart(members[len(members)-1].Codec, img.Trailer()); err != nil {
				return err
			}
		}
		return nil
	})
}
