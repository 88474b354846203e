package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// Concat joins images into one, which is unpacked as they would be one after the
// other. Each is read to its end first: it must be whole.
//
// Between two images are zeros, so that the next one begins at a multiple of 4, as
// an archive that is not compressed has to; and four at least behind lz4, whose end
// the kernel would not see (lib/decompress_unlz4.c). Behind an image without a
// trailer comes one: the kernel would take files of the next image for hard links
// of files in this one that have their numbers. warn is told of those.
func Concat(ctx context.Context, images []string, out string, warn func(message string)) error {
	parts := make([]*part, 0, len(images))
	defer func() {
		for _, p := range parts {
			p.image.Close()
		}
	}()
	for i, name := range images {
		p, err := openPart(ctx, name)
		if err != nil {
			return err
		}
		parts = append(parts, p)
		if p.image.Bootconfig > 0 && i < len(images)-1 {
			return fmt.Errorf("%s: a boot configuration is behind it, which counts at the end of the last image only: take it off with packer bootconfig --remove", name)
		}
		if !p.trailer {
			warn(name + ": no trailer at its end: it may have been cut off, which the kernel does not see")
		}
	}
	return replaceFile(ctx, out, func(w io.Writer) error {
		for i, p := range parts {
			if err := p.image.copyTo(ctx, w, p.image.Size); err != nil {
				return err
			}
			if i == len(parts)-1 {
				break
			}
			if err := p.end(w); err != nil {
				return err
			}
		}
		return nil
	})
}

// part is an image that becomes a part of another.
type part struct {
	image   *bootImage
	trailer bool
	// lz4 tells that the last member is of that codec.
	lz4 bool
}

// openPart opens an image and checks that it is whole.
func openPart(ctx context.Context, name string) (*part, error) {
	image, err := openTwice(ctx, name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*part, error) {
		image.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for err == nil {
		_, err = image.Next()
	}
	if err != io.EOF {
		return fail(err)
	}
	members := image.Members()
	if len(members) == 0 {
		return fail(errors.New("nothing is in it: no image"))
	}
	return &part{image, image.Trailer(), members[len(members)-1].Codec == "lz4"}, nil
}

// end writes what is to be between the image and the next one.
func (p *part) end(w io.Writer) error {
	padding := -p.image.Size & 3
	if p.lz4 {
		padding += 4
	}
	if err := writeZeros(w, padding); err != nil || p.trailer {
		return err
	}
	var trailer bytes.Buffer
	if err := cpio.NewWriter(&trailer).Close(); err != nil {
		return err
	}
	_, err := w.Write(trailer.Bytes())
	return err
}
