// Package payload opens the initramfs image that is in what firmware or a boot loader loads: a unified
// kernel image, a FIT image, a kernel.
package payload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/uki"
	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/fit"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/linked"
	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
)

// Open opens the initramfs image in the named file: the file itself, as image.Open does, or what the
// kernel gets that is in it. That is
//
//   - of a unified kernel image, the sections that its stub passes on,
//   - of a FIT image, the ramdisk of the default configuration,
//   - of a kernel, and of the two without an image of their own, what is linked into the kernel.
//
// Several files, pipes and standard input are opened as by image.Open.
func Open(ctx context.Context, names ...string) (*image.Image, error) {
	// Pipes and standard input cannot be read twice.
	name := names[0]
	if info, err := os.Stat(name); len(names) > 1 || name == "-" || err != nil || !info.Mode().IsRegular() {
		return image.Open(ctx, names...)
	}
	file, err := interrupt.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	o := &opener{ctx: ctx, closers: closers{file}}
	sections, err := o.open(file)
	switch {
	case errors.Is(err, linked.ErrNotKernel):
		if err := o.closers.Close(); err != nil {
			return nil, err
		}
		return image.Open(ctx, name)
	case err != nil:
		err = fmt.Errorf("%s: %w", name, err)
	default:
		var img *image.Image
		if img, err = image.OpenSections(ctx, name, o.closers, sections...); err == nil {
			return img, nil
		}
	}
	return nil, errors.Join(err, o.closers.Close())
}

// opener opens what is in a file.
type opener struct {
	ctx     context.Context
	closers closers
}

// closers are closed in the reverse order.
type closers []io.Closer

func (c closers) Close() error {
	var err error
	for i := range c {
		err = errors.Join(err, c[len(c)-1-i].Close())
	}
	return err
}

// open returns the parts of the image. The error is linked.ErrNotKernel if the file has another format.
func (o *opener) open(file *os.File) ([]*io.SectionReader, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	var magic [4]byte
	if _, err := file.ReadAt(magic[:], 0); err != nil && err != io.EOF {
		return nil, err
	}
	if fdt.Is(magic[:]) {
		return o.openFIT(file, info.Size())
	}
	kernel, sections, err := uki.ReadInitramfs(file, info.Size())
	switch {
	case errors.Is(err, pe.ErrNotEFI) || err == nil && kernel == nil:
		return o.openKernel(io.NewSectionReader(file, 0, info.Size()))
	case err != nil:
		return nil, err
	case len(sections) == 0:
		sections, err = o.openKernel(kernel)
		return sections, without("this unified kernel image has no initramfs (.initrd)", err)
	}
	return sections, nil
}

func (o *opener) openFIT(file *os.File, size int64) ([]*io.SectionReader, error) {
	f, err := fit.Read(file, size)
	if err != nil {
		return nil, err
	}
	kernel, ramdisk, err := f.OpenDefault()
	switch {
	case err != nil:
		return nil, err
	case ramdisk != nil:
		return []*io.SectionReader{ramdisk}, nil
	case kernel == nil:
		return nil, errors.New("the default configuration of this FIT image has no ramdisk and no kernel")
	}
	sections, err := o.openKernel(kernel)
	return sections, without("the default configuration of this FIT image has no ramdisk", err)
}

// without adds to an error of a kernel that there is no initramfs image outside it.
func without(what string, err error) error {
	switch {
	case errors.Is(err, linked.ErrNotKernel):
		return errors.New(what + ", and its kernel has a format that cannot be read")
	case err != nil:
		return fmt.Errorf("%s, and %w", what, err)
	}
	return nil
}

func (o *opener) openKernel(kernel *io.SectionReader) ([]*io.SectionReader, error) {
	found, err := linked.Open(o.ctx, kernel, kernel.Size())
	if err != nil {
		return nil, err
	}
	o.closers = append(o.closers, found)
	return []*io.SectionReader{found.SectionReader}, nil
}
