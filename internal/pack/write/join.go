package write

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// Joined is an image of layers.
type Joined struct {
	// Layers are what the layers' archives have; Parts, the names of these, which are
	// copied as they are. Without Parts, the output is what follows them in the image.
	Layers []Archived
	Parts  []string
	// Entries are those of the image; Restored, those that are unpacked once more after
	// the layers.
	Entries, Restored []*list.Entry
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
		around.front = nil
	}
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	archives := j.Layers
	err = outputs.write(opts.Out, opts.Perm, func(w io.Writer) error {
		return around.write(ctx, w, func(w *image.Joiner) error {
			for _, name := range j.Parts {
				if err := copyLayer(ctx, w, name); err != nil {
					return err
				}
			}
			if len(j.Restored) == 0 {
				return nil
			}
			members, err := opts.writeArchive(ctx, w, j.Restored)
			archives = append(archives, Archived{j.Restored, members})
			return err
		})
	})
	if err == nil {
		err = outputs.writeViews(frame, archives, &opts)
	}
	if err == nil && opts.ListOut != "" {
		err = outputs.write(opts.ListOut, 0, func(w io.Writer) error { return list.Write(w, j.Entries, nil) })
	}
	if err != nil {
		return err
	}
	return outputs.commit()
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
	n, err := io.Copy(w, source.ContextReader(ctx, file))
	if err == nil && n%image.Align != 0 {
		return fmt.Errorf("%s is not a layer: it has %d bytes, which is not a multiple of %d; pack it with --layer", name, n, image.Align)
	}
	return err
}
