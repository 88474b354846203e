package write

import (
	"context"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

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
	return replaceFile(ctx, out, func(w io.Writer) error {
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
