package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// frame is what goes around an archive.
type frame struct {
	// early are archives before it, such as one of microcode: the kernel looks into them
	// before it unpacks anything.
	early []*image.Image
	// bootconfig is the data of a boot configuration after it, or nil.
	bootconfig []byte
	// align is what the archive begins at a multiple of.
	align int64
}

// openFrame opens what the options name, and checks it.
func openFrame(ctx context.Context, opts *Options) (_ *frame, err error) {
	f := &frame{align: image.Align}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if !opts.Method.Compresses() {
		// Contents are aligned from the beginning of the archive on.
		f.align = max(f.align, int64(opts.Align))
	}
	for _, name := range opts.Prepend {
		img, err := image.Open(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("cannot read the early archive: %w", err)
		}
		f.early = append(f.early, img)
		if err := checkEarly(ctx, img); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if opts.Bootconfig != "" {
		f.bootconfig, err = readBootconfigData(opts.Bootconfig)
	}
	return f, err
}

func (f *frame) close() {
	for _, img := range f.early {
		img.Close()
	}
}

// checkEarly checks that the kernel can read an early archive.
func checkEarly(ctx context.Context, img *image.Image) error {
	if img.Size < 0 {
		return errors.New("an early archive is read twice: this is not a regular file")
	}
	first := make([]byte, 6)
	if _, err := io.ReadFull(img.First(6), first); err != nil || !bytes.HasPrefix(first, []byte("07070")) {
		return errors.New("not an early archive: it must begin with an uncompressed archive, such as cpio -o -H newc makes")
	}
	r := readAll(ctx, img)
	defer r.Close()
	return image.CheckEarly(r)
}

// readAll returns a reader of an image that takes a boot configuration for a part of it, as
// the kernel does where that is not at the end.
func readAll(ctx context.Context, img *image.Image) *image.Reader {
	return image.NewReader(source.ContextReader(ctx, img.First(img.Size)))
}

// write writes the archive with what goes around it.
func (f *frame) write(ctx context.Context, w io.Writer, archive func(*image.Joiner) error) error {
	j := image.NewJoiner(w)
	for i, img := range f.early {
		align := int64(image.Align)
		if i == len(f.early)-1 {
			align = f.align
		}
		if err := copyFirst(ctx, j, img, img.Size); err != nil {
			return err
		}
		if err := j.Align(align); err != nil {
			return err
		}
	}
	if err := archive(j); err != nil || f.bootconfig == nil {
		return err
	}
	return j.WriteBootconfig(f.bootconfig)
}
