package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
)

// Image is an image file that is being read.
type Image struct {
	*Reader
	// Name is the file's.
	Name string
	// Size counts its bytes, what follows the image included; -1 for a
	// pipe and for standard input.
	Size int64
	// Bootconfig counts the bytes of the boot configuration behind the image.
	Bootconfig int64

	file *os.File
}

// Open opens the image in the file with this name; "-" is standard input.
// Reading fails once ctx is done.
//
// The kernel cuts a boot configuration off before it unpacks, and so does Open,
// except where it cannot see the end: from a pipe and from standard input.
func Open(ctx context.Context, name string) (*Image, error) {
	i := &Image{Name: name, Size: -1, file: os.Stdin}
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		i.file = file
	}
	var in io.Reader = i.file
	if info, err := i.file.Stat(); err == nil && info.Mode().IsRegular() && name != "-" {
		i.Size = info.Size()
		if i.Bootconfig, err = bootconfigSize(i.file, i.Size); err != nil {
			i.file.Close()
			return nil, err
		}
		in = io.LimitReader(in, i.Size-i.Bootconfig)
	}
	i.Reader = NewReader(contextReader{ctx, in})
	return i, nil
}

// Close closes the file too.
func (i *Image) Close() error {
	i.Reader.Close()
	return i.file.Close()
}

// contextReader reads until ctx is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// A boot configuration is data, its size and the sum of its bytes, 32 bits each,
// and this magic (Documentation/admin-guide/bootconfig.rst).
const bootconfigMagic = "#BOOTCONFIG\n"

// maxBootconfig is XBC_DATA_MAX in include/linux/bootconfig.h.
const maxBootconfig = 32<<10 - 1

// bootconfigSize returns how many bytes at the end of an image of size bytes
// get_boot_config_from_initrd in init/main.c cuts off: 0 if the magic, the size
// or the sum is not right.
func bootconfigSize(image io.ReaderAt, size int64) (int64, error) {
	tail := make([]byte, min(size, maxBootconfig+8+int64(len(bootconfigMagic))+3))
	if _, err := image.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, err
	}
	// GRUB may have padded the image to a multiple of 4.
	for padding := 0; padding < 4 && padding <= len(tail); padding++ {
		data, ok := bytes.CutSuffix(tail[:len(tail)-padding], []byte(bootconfigMagic))
		if !ok || len(data) < 8 {
			continue
		}
		data, footer := data[:len(data)-8], data[len(data)-8:]
		n := binary.LittleEndian.Uint32(footer)
		if int64(n) > min(maxBootconfig, int64(len(data))) {
			return 0, nil
		}
		data = data[len(data)-int(n):]
		var sum uint32
		for _, b := range data {
			sum += uint32(b)
		}
		if sum != binary.LittleEndian.Uint32(footer[4:]) {
			return 0, nil
		}
		return int64(len(data)) + 8 + int64(len(bootconfigMagic)) + int64(padding), nil
	}
	return 0, nil
}
