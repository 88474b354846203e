package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// Joined is an image of layers.
type Joined struct {
	// Layers are what the layers' archives have; Parts, the names of these, which are
	// copied as they are. Without Parts, the output is what follows them in the image.
	Layers []Archived
	Parts  []string
	// Entries are those of the image; End, those of them that are unpacked after the layers.
	Entries, End []*list.Entry
}

// Join writes an image of layers, with what is in front of it and after it.
func Join(ctx context.Context, j Joined, opts Options) error {
	frame, err := openFrame(ctx, &opts)
	if err != nil {
		return err
	}
	defer frame.close()
	around := *frame
	if j.Parts == nil {
		around.early = nil
	}
	for _, e := range j.End {
		if e.Content != nil && opts.ListOut != "" && opts.ContentsOut == "" {
			return fmt.Errorf("a list names files, and %s is made here: add --write-contents DIR to write it where the list can name it", printable.Text(list.CleanPath(e.Name)))
		}
	}
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	var files contents
	if opts.ContentsOut != "" {
		if files, err = createContents(opts.ContentsOut); err != nil {
			return err
		}
		defer files.discard()
	}
	err = outputs.write(opts.Out, opts.Perm, func(w io.Writer) error {
		return around.write(ctx, w, func(w *image.Joiner) error {
			for _, name := range j.Parts {
				if err := copyLayer(ctx, w, name); err != nil {
					return err
				}
			}
			if len(j.End) == 0 {
				return nil
			}
			members, err := opts.writeArchive(ctx, w, j.End)
			j.Layers = append(j.Layers, Archived{j.End, members})
			return err
		})
	})
	if err == nil && opts.ContentsOut != "" {
		j.Entries, err = files.write(ctx, j.Entries)
	}
	if err == nil {
		err = outputs.finish(frame, j.Layers, j.Entries, nil, &opts)
	}
	if err == nil {
		files.made = nil
	}
	return err
}

// copyLayer copies the archive of a layer, which ends where the next one can begin.
func copyLayer(ctx context.Context, w io.Writer, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("cannot read the layer: %w", err)
	}
	defer file.Close()
	var magic [2]byte
	if _, err := io.ReadFull(file, magic[:]); err != nil {
		return fmt.Errorf("%s is not a layer: %w", name, err)
	}
	codecName := codec.Detect(magic[:])
	if codecName == "" && !bytes.Equal(magic[:], []byte("07")) {
		return fmt.Errorf("%s is not a layer: %w", name, image.ErrJunk)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(w, interrupt.Reader(ctx, file))
	if err == nil && n%image.Align != 0 {
		return fmt.Errorf("%s is not a layer: it has %d bytes, which is not a multiple of %d; pack it with --layer", name, n, image.Align)
	}
	return err
}

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
	return image.NewReader(interrupt.Reader(ctx, img.First(img.Size)))
}

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
