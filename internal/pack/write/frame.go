package write

import (
	"context"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// frame is what goes around an archive: early archives before it, a boot configuration
// after it.
type frame struct {
	front []*early
	// bootconfig is the data of a boot configuration, or nil.
	bootconfig []byte
	// align is what the archive begins at a multiple of.
	align int64
}

// openFrame opens what the options name, and checks it.
func openFrame(ctx context.Context, opts *Options) (*frame, error) {
	f := &frame{align: image.Align}
	if !opts.Method.Compresses() {
		// Contents are aligned from the beginning of the archive on.
		f.align = max(f.align, int64(opts.Align))
	}
	for _, name := range opts.Prepend {
		e, err := openEarly(ctx, name)
		if err != nil {
			f.close()
			return nil, err
		}
		f.front = append(f.front, e)
	}
	if opts.Bootconfig != "" {
		var err error
		if f.bootconfig, err = readBootconfigData(opts.Bootconfig); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

func (f *frame) close() {
	for _, e := range f.front {
		e.file.Close()
	}
}

// write writes the archive with what goes around it.
func (f *frame) write(ctx context.Context, w io.Writer, archive func(*image.Joiner) error) error {
	j := image.NewJoiner(w)
	for i, e := range f.front {
		if err := e.writeTo(ctx, j); err != nil {
			return err
		}
		align := int64(image.Align)
		if i == len(f.front)-1 {
			align = f.align
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
