package write

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// A boot configuration behind an image is data, NULs, the size of both and the sum
// of their bytes, 32 bits each with the lowest first, and this magic. The NULs make
// the image end at a multiple of 4; there is one at least, as tools/bootconfig has
// it (Documentation/admin-guide/bootconfig.rst).
const (
	bootconfigMagic  = "#BOOTCONFIG\n"
	bootconfigFooter = 8 + len(bootconfigMagic)
	bootconfigAlign  = 4
	// maxBootconfig is the most bytes of data and NULs (XBC_DATA_MAX in
	// include/linux/bootconfig.h).
	maxBootconfig = 32<<10 - 1
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
	data, err := io.ReadAll(io.LimitReader(file, maxBootconfig+1))
	at := bytes.IndexByte(data, 0)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the boot configuration: %w", err)
	case len(data) >= maxBootconfig:
		return nil, fmt.Errorf("%s: a boot configuration has less than %d bytes", name, maxBootconfig)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, fmt.Errorf("%s: the boot configuration is empty, which the kernel refuses", name)
	case at >= 0:
		return nil, fmt.Errorf("%s: byte %d of the boot configuration is a NUL, where it would end", name, at)
	}
	return data, nil
}

// bootconfigBehind returns what goes behind an image of size bytes.
func bootconfigBehind(data []byte, size int64) ([]byte, error) {
	padded := len(data) + 1
	padded += int(-(size + int64(padded+bootconfigFooter)) & (bootconfigAlign - 1))
	if padded > maxBootconfig {
		return nil, fmt.Errorf("the boot configuration has %d bytes with its padding: the kernel takes %d at most", padded, maxBootconfig)
	}
	var sum uint32
	for _, b := range data {
		sum += uint32(b)
	}
	behind := make([]byte, padded, padded+bootconfigFooter)
	copy(behind, data)
	behind = binary.LittleEndian.AppendUint32(behind, uint32(padded))
	behind = binary.LittleEndian.AppendUint32(behind, sum)
	return append(behind, bootconfigMagic...), nil
}

// writeBootconfig writes a boot configuration behind an image of size bytes.
func writeBootconfig(w io.Writer, data []byte, size int64) error {
	behind, err := bootconfigBehind(data, size)
	if err != nil {
		return err
	}
	_, err = w.Write(behind)
	return err
}

// bootImage is an image that is taken apart into what the kernel unpacks and the
// boot configuration.
type bootImage struct {
	*image.Image
	file *os.File
}

func openBootImage(ctx context.Context, name string) (*bootImage, error) {
	img, err := openTwice(ctx, name)
	if err != nil {
		return nil, err
	}
	if img.Bootconfig == 0 {
		tail := make([]byte, min(img.Size, int64(len(bootconfigMagic)+bootconfigAlign-1)))
		if _, err := img.file.ReadAt(tail, img.Size-int64(len(tail))); err != nil && err != io.EOF {
			img.Close()
			return nil, err
		}
		if bytes.Contains(tail, []byte(bootconfigMagic)) {
			img.Close()
			return nil, fmt.Errorf("%s: the boot configuration is damaged: its size or its sum is not right", name)
		}
	}
	return img, nil
}

// openTwice opens an image that is to be read and to be copied.
func openTwice(ctx context.Context, name string) (*bootImage, error) {
	img, err := image.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if img.Size < 0 {
		img.Close()
		return nil, fmt.Errorf("%s is not a regular file, and is read several times", name)
	}
	file, err := os.Open(name)
	if err != nil {
		img.Close()
		return nil, err
	}
	return &bootImage{img, file}, nil
}

func (i *bootImage) Close() error { return errors.Join(i.Image.Close(), i.file.Close()) }

// copyTo copies the first n bytes.
func (i *bootImage) copyTo(ctx context.Context, w io.Writer, n int64) error {
	copied, err := io.Copy(w, source.ContextReader(ctx, io.NewSectionReader(i.file, 0, n)))
	if err == nil && copied != n {
		err = fmt.Errorf("%s changed while it was read", i.Name)
	}
	return err
}

// Bootconfig returns the data of the boot configuration behind the image in a file,
// without the NULs at its end.
func Bootconfig(ctx context.Context, name string) ([]byte, error) {
	img, err := openBootImage(ctx, name)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	if img.Bootconfig == 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrNoBootconfig)
	}
	behind := make([]byte, img.Bootconfig)
	if _, err := img.file.ReadAt(behind, img.Size-img.Bootconfig); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	behind = behind[:bytes.LastIndex(behind, []byte(bootconfigMagic))]
	return bytes.TrimRight(behind[:len(behind)-8], "\x00"), nil
}

// ApplyBootconfig writes the image in a file to out, with the data in another file
// for a boot configuration, instead of the one that the image may have.
func ApplyBootconfig(ctx context.Context, name, dataName, out string) error {
	data, err := readBootconfigData(dataName)
	if err != nil {
		return err
	}
	return copyBootImage(ctx, name, out, data)
}

// RemoveBootconfig writes the image in a file to out without the boot configuration
// that it may have.
func RemoveBootconfig(ctx context.Context, name, out string) error {
	return copyBootImage(ctx, name, out, nil)
}

func copyBootImage(ctx context.Context, name, out string, data []byte) error {
	img, err := openBootImage(ctx, name)
	if err != nil {
		return err
	}
	defer img.Close()
	size := img.Size - img.Bootconfig
	return replaceFile(ctx, out, func(w io.Writer) error {
		if err := img.copyTo(ctx, w, size); err != nil || data == nil {
			return err
		}
		return writeBootconfig(w, data, size)
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
