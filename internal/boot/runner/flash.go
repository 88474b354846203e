package runner

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/machine"
)

// qcow2 is what images in QEMU's own format begin with (docs/interop/qcow2.rst).
const qcow2 = "QFI\xfb"

// fitFlash returns the name of a flash image with the size that the machine needs: the named
// file, or a larger copy of it, which is a temporary file.
func (b *boot) fitFlash(field, name string) (string, error) {
	in, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	defer in.Close()
	head := make([]byte, len(qcow2))
	if _, err := io.ReadFull(in, head); err == nil && string(head) == qcow2 {
		return "", fmt.Errorf("%s: %s is a qcow2 image: make a raw one of it with qemu-img convert -O raw", field, name)
	}
	info, err := in.Stat()
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	size := machine.FlashSize(b.arch)
	switch {
	case info.Size() == 0:
		return "", fmt.Errorf("%s: %s is empty", field, name)
	case size == 0 || info.Size() == size:
		return name, nil
	case info.Size() > size:
		return "", fmt.Errorf("%s: %s has %d bytes, and the flash of the machine has %d: use an image that was built for QEMU's %s", field, name, info.Size(), size, b.arch.Machine)
	}
	larger, err := b.temporary(copyLarger(b.session.TempDir, in, size))
	return larger[0], err
}

// copyLarger copies a file to a new one in dir, and makes it larger with zeros at its end. The
// caller removes the file, even after an error.
func copyLarger(dir string, in *os.File, size int64) (name string, err error) {
	out, err := os.CreateTemp(dir, "flash-*")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return out.Name(), err
	}
	if _, err := io.Copy(out, in); err != nil {
		return out.Name(), err
	}
	return out.Name(), out.Truncate(size)
}
