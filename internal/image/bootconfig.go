package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// A boot configuration after an image is data, NULs, the size of both, the sum of their
// bytes, and a magic. The two numbers are little-endian and have 32 bits. The NULs make
// the image end at a multiple of 4; tools/bootconfig writes at least one
// (Documentation/admin-guide/bootconfig.rst).
const (
	bootconfigMagic  = "#BOOTCONFIG\n"
	bootconfigFooter = 8 + len(bootconfigMagic)

	// MaxBootconfig is the most bytes that the data and the NULs may have (XBC_DATA_MAX
	// in include/linux/bootconfig.h).
	MaxBootconfig = 32<<10 - 1
)

// ErrBootconfig reports a boot configuration whose size or sum is wrong: the kernel
// treats it as a part of the image.
var ErrBootconfig = errors.New("the boot configuration is damaged: its size or its sum is not right")

// FindBootconfig returns the data of the boot configuration at the end of an image of
// size bytes, without NULs, and the bytes that get_boot_config_from_initrd in init/main.c
// cuts off: 0 if there is none. It returns ErrBootconfig for a damaged one.
func FindBootconfig(image io.ReaderAt, size int64) (data []byte, cut int64, err error) {
	// GRUB may have padded the image to a multiple of 4.
	tail := make([]byte, min(size, int64(MaxBootconfig+bootconfigFooter+Align-1)))
	if _, err := image.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, 0, err
	}
	end := bytes.LastIndex(tail, []byte(bootconfigMagic))
	padding := len(tail) - end - len(bootconfigMagic)
	if end < 0 || padding >= Align {
		return nil, 0, nil
	}
	begin := end - 8
	if begin < 0 {
		return nil, 0, ErrBootconfig
	}
	n := binary.LittleEndian.Uint32(tail[begin:])
	if int64(n) > min(MaxBootconfig, int64(begin)) {
		return nil, 0, ErrBootconfig
	}
	data = tail[begin-int(n) : begin]
	if cpio.Checksum(0, data) != binary.LittleEndian.Uint32(tail[begin+4:]) {
		return nil, 0, ErrBootconfig
	}
	return bytes.TrimRight(data, "\x00"), int64(int(n) + bootconfigFooter + padding), nil
}

// WriteBootconfig writes a boot configuration with this data at the end of the image.
func (j *Joiner) WriteBootconfig(data []byte) error {
	padded := len(data) + 1
	padded += int(-(j.n + int64(padded+bootconfigFooter)) & (Align - 1))
	if padded > MaxBootconfig {
		return fmt.Errorf("the boot configuration has %d bytes with its padding: the kernel takes %d at most", padded, MaxBootconfig)
	}
	footer := make([]byte, padded, padded+bootconfigFooter)
	copy(footer, data)
	footer = binary.LittleEndian.AppendUint32(footer, uint32(padded))
	footer = binary.LittleEndian.AppendUint32(footer, cpio.Checksum(0, data))
	_, err := j.Write(append(footer, bootconfigMagic...))
	return err
}
