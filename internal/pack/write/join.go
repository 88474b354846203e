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

// Joined writes an image of segments, which are copied as they are, with what is in
// front of it, and behind it an archive of the entries of again, if any; the last only,
// if tail is set. The completed list has the entries.
func Joined(ctx context.Context, segments []string, tail bool, entries, again []*list.Entry, opts Options) error {
	frame, err := openFrame(ctx, &opts)
	if err != nil {
		return err
	}
	defer frame.close()
	if tail {
		frame.close()
		frame.front = nil
	}
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	err = outputs.write(opts.Out, opts.Perm, func(w io.Writer) error {
		return frame.write(ctx, w, func(w *image.Joiner) error {
			for _, segment := range segments {
				if err := copySegment(ctx, w, segment); err != nil {
					return err
				}
			}
			if len(again) == 0 {
				return nil
			}
			_, err := opts.writeArchive(ctx, w, again)
			return err
		})
	})
	if err == nil && opts.ListOut != "" {
		err = outputs.write(opts.ListOut, 0, func(w io.Writer) error { return List(w, entries, false) })
	}
	if err != nil {
		return err
	}
	return outputs.commit()
}

// copySegment copies a segment, which Write has made room behind.
func copySegment(ctx context.Context, w io.Writer, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("cannot read the segment: %w", err)
	}
	defer file.Close()
	var magic [2]byte
	if _, err := io.ReadFull(file, magic[:]); err != nil {
		return fmt.Errorf("%s: no segment: %w", name, err)
	}
	codecName := codec.Detect(magic[:])
	if codecName == "" && !bytes.Equal(magic[:], []byte("07")) {
		return fmt.Errorf("%s: no segment: %w", name, image.ErrJunk)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(w, source.ContextReader(ctx, file))
	if err == nil && n%image.Align != 0 {
		return fmt.Errorf("%s: %d bytes are no segment: it was packed without --layer", name, n)
	}
	return err
}
