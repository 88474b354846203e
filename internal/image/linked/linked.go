// Package linked finds the initramfs image that is linked into a kernel.
//
// The kernel's usr/initramfs_data.S and INIT_RAM_FS in include/asm-generic/vmlinux.lds.h say where it
// is: at a multiple of 4, from the symbol __initramfs_start on. Its size, __initramfs_size, follows it
// at the next multiple of 8, as a word of the machine. Every kernel with CONFIG_BLK_DEV_INITRD has one,
// by default that of usr/default_cpio_list.
package linked

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/kernelimage"
	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

var (
	// ErrNotKernel is the error for a file that is not a kernel of a format that can be read.
	ErrNotKernel = errors.New("not a kernel")
	// ErrNone is the error for a kernel without an initramfs image.
	ErrNone = errors.New("no initramfs image is linked into this kernel")
	// ErrDamaged is the error for a kernel that cannot be read.
	ErrDamaged = errors.New("the kernel is damaged")
)

// An Image is the initramfs image of a kernel. It may be compressed.
type Image struct {
	*io.SectionReader
	spool *os.File // has the decompressed kernel; nil if it was not compressed
}

// Close removes what was decompressed. It leaves the kernel open.
func (i *Image) Close() error {
	if i.spool == nil {
		return nil
	}
	err := i.spool.Close()
	if removeErr := os.Remove(i.spool.Name()); !errors.Is(removeErr, os.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return err
}

// Open finds the initramfs image in a kernel of size bytes. A kernel that is compressed is decompressed
// to a temporary file of at most 2 GiB.
func Open(ctx context.Context, r io.ReaderAt, size int64) (*Image, error) {
	kernel := io.NewSectionReader(r, 0, size)
	head, err := kernelimage.ReadHead(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	i := &Image{}
	what := string(head.Format)
	switch head.Format {
	case kernelimage.BzImage, kernelimage.ZBoot:
		payload, err := findPayload(kernel, head.Format)
		if err != nil {
			return nil, err
		}
		name, err := i.decompressPayload(ctx, payload)
		if err != nil {
			return nil, err
		}
		what += " in " + name
	case kernelimage.GzipRaw, kernelimage.Compressed:
		// Any initramfs image may be compressed too.
		name, err := i.decompressFile(ctx, kernel)
		if err != nil {
			return nil, err
		}
		what = "a kernel in " + name
	case kernelimage.Raw, kernelimage.ELF, kernelimage.Vmlinux:
	default:
		return nil, ErrNotKernel
	}
	if i.spool != nil {
		length, err := i.spool.Seek(0, io.SeekEnd)
		if err != nil {
			return nil, errors.Join(err, i.Close())
		}
		kernel = io.NewSectionReader(i.spool, 0, length)
	}
	if i.SectionReader, err = find(ctx, kernel); err != nil {
		if errors.Is(err, ErrNone) {
			err = fmt.Errorf("%w, which is %s", err, what)
		}
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

// decompressPayload decompresses what the code of a kernel decompresses.
func (i *Image) decompressPayload(ctx context.Context, payload *io.SectionReader) (string, error) {
	var prefix [8]byte
	if _, err := payload.ReadAt(prefix[:], 0); err != nil {
		return "", fmt.Errorf("%w: its compressed part: %w", ErrDamaged, err)
	}
	if codec.Detect(prefix[:]) == "lz4" {
		// The size of the decompressed kernel follows (size_append in scripts/Makefile.lib). Only of lz4
		// does a member not mark its end.
		payload = io.NewSectionReader(payload, 0, payload.Size()-4)
	}
	z, err := codec.NewReader(bufio.NewReader(interrupt.Reader(ctx, payload)))
	if err != nil {
		return "", fmt.Errorf("its compressed part: %w", err)
	}
	defer z.Close()
	return z.Codec(), i.fill(z)
}

// decompressFile decompresses a file that has a kernel in it.
func (i *Image) decompressFile(ctx context.Context, file *io.SectionReader) (string, error) {
	head, err := codec.NewFileReader(bufio.NewReader(interrupt.Reader(ctx, io.NewSectionReader(file, 0, file.Size()))))
	if err != nil {
		return "", ErrNotKernel
	}
	found, err := kernelimage.ReadHead(head)
	head.Close()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil, found.Format != kernelimage.Raw && found.Format != kernelimage.Vmlinux && found.Format != kernelimage.ELF:
		return "", ErrNotKernel
	}
	z, err := codec.NewFileReader(bufio.NewReader(interrupt.Reader(ctx, file)))
	if err != nil {
		return "", err
	}
	defer z.Close()
	return z.Codec(), i.fill(z)
}

// fill makes the spool and writes what r has to it.
func (i *Image) fill(r io.Reader) error {
	spool, err := os.CreateTemp("", "packer-kernel-")
	if err != nil {
		return err
	}
	os.Remove(spool.Name()) // not possible on every system, and then later
	i.spool = spool
	n, err := io.Copy(spool, io.LimitReader(r, arch.MaxRoom+1))
	if err == nil && n > arch.MaxRoom {
		err = fmt.Errorf("it decompresses to more than %d GiB, which no kernel has", int64(arch.MaxRoom)>>30)
	}
	if err != nil {
		return errors.Join(err, i.Close())
	}
	return nil
}
