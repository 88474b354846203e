package pack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/compress"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/list"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

// Layer is a segment of an image: an archive with its trailer, compressed or not,
// and the completed list of what it has, as packing with ReadOptions.Layer gives
// them.
type Layer struct{ Segment, List string }

// Join makes an image of layers. The segments are copied as they are; it is the
// lists that tell whether the layers fit together: a path that two give is an error
// unless the later one replaces it, and what would not be unpacked as the layers say
// is one too. Of opts those count that say what is around the archive and what the
// outputs are; Method is for what Join adds, which is little: directories that one
// layer gives and a later one has added get their modes and owners back at the end.
func Join(ctx context.Context, layers []Layer, opts Options) error {
	lists := make([][]*list.Entry, len(layers))
	for i, layer := range layers {
		var err error
		if lists[i], err = readLayer(layer.List); err != nil {
			return err
		}
	}
	entries, again, err := mergeLayers(lists, opts.MTime)
	if err != nil {
		return err
	}
	frame, err := openFrame(ctx, &opts)
	if err != nil {
		return err
	}
	defer frame.close()
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	err = outputs.write(opts.Out, opts.Perm, func(w io.Writer) error {
		return frame.write(ctx, w, func(w io.Writer) error {
			c := &countingWriter{w: w}
			for _, layer := range layers {
				if err := copySegment(ctx, c, layer.Segment); err != nil {
					return err
				}
			}
			if len(again) == 0 {
				return nil
			}
			return opts.writeArchive(ctx, c, again)
		})
	})
	if err == nil && opts.ListOut != "" {
		err = outputs.write(opts.ListOut, 0, func(w io.Writer) error { return WriteList(w, entries, false) })
	}
	if err != nil {
		return err
	}
	return outputs.commit()
}

func readLayer(name string) ([]*list.Entry, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the layer's list: %w", err)
	}
	defer file.Close()
	return readCompleted(name, file)
}

// copySegment copies a segment to where it can begin, and makes room behind it for
// the next one: that may be an archive that is not compressed, and the end of lz4
// is where four zeros are (lib/decompress_unlz4.c).
func copySegment(ctx context.Context, w *countingWriter, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("cannot read the segment: %w", err)
	}
	defer file.Close()
	var magic [2]byte
	if _, err := io.ReadFull(file, magic[:]); err != nil {
		return fmt.Errorf("%s: no segment: %w", name, err)
	}
	codec := compress.Detect(magic[:])
	if codec == "" && !bytes.Equal(magic[:], []byte("07")) {
		return fmt.Errorf("%s: no segment: %w", name, rootfs.ErrJunk)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(w, contextReader{ctx, file}); err != nil {
		return err
	}
	padding := -w.n & 3
	if codec == "lz4" {
		padding += 4
	}
	return writeZeros(w, padding)
}
