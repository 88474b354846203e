package image

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// CheckEarly reads an image to its end and checks that it can come before another as an
// early archive, such as one of microcode: that find_cpio_data in lib/earlycpio.c, which
// looks for files before the kernel unpacks anything, can read all of it and finds the
// names.
func CheckEarly(r *Reader) error {
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if m := r.Members()[e.Member]; m.Codec != Uncompressed {
			return fmt.Errorf("not an early archive: it is compressed (%s) from byte %d on, where the kernel does not look; packer concat joins images",
				m.Codec, m.Offset)
		}
		if e.Type() == cpio.TypeRegular && (strings.HasPrefix(e.Name, "/") || strings.HasPrefix(e.Name, "./")) {
			return fmt.Errorf("%s: the kernel does not find this file: it looks for names that do not begin with / or ./", e.Name)
		}
	}
	if !r.Trailer() {
		return ErrNoTrailer
	}
	return nil
}

// ErrNoTrailer reports an uncompressed image without a trailer at its end.
var ErrNoTrailer = errors.New("no trailer at its end: it may have been cut off")
