package pack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
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
	var lists []string
	for _, layer := range layers {
		lists = append(lists, layer.List)
	}
	return join(ctx, lists, opts, func(w io.Writer) error {
		for _, layer := range layers {
			if err := copySegment(ctx, w, layer.Segment); err != nil {
				return err
			}
		}
		return nil
	})
}

// JoinTail makes the end of an image of layers, from their lists: all that Join puts behind
// the last segment, which may be nothing. What is in front, the segments and it, each at a
// multiple of 4 bytes, are the image. It checks all that Join does, but the segments.
func JoinTail(ctx context.Context, lists []string, opts Options) error {
	return join(ctx, lists, opts, nil)
}

// join writes what segments writes, with what is in front of it, and behind it what the
// layers' lists ask for; the last only, if segments is nil.
func join(ctx context.Context, names []string, opts Options, segments func(io.Writer) error) error {
	lists := make([][]*list.Entry, len(names))
	for i, name := range names {
		var err error
		if lists[i], err = readLayer(name); err != nil {
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
	if segments == nil {
		frame.close()
		frame.front = nil
	}
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	err = outputs.write(opts.Out, opts.Perm, func(w io.Writer) error {
		return frame.write(ctx, w, func(w io.Writer) error {
			if segments != nil {
				if err := segments(w); err != nil {
					return err
				}
			}
			if len(again) == 0 {
				return nil
			}
			return opts.writeArchive(ctx, w, again)
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
	n, err := io.Copy(w, contextReader{ctx, file})
	if err == nil && n%segmentAlign != 0 {
		return fmt.Errorf("%s: %d bytes are no segment: it was packed without --layer", name, n)
	}
	return err
}

// segmentAlign is what a segment is a multiple of, in bytes: behind it an archive may
// begin that is not compressed.
const segmentAlign = 4

// A segmentWriter writes a segment, and then the room that has to be behind it.
type segmentWriter struct {
	countingWriter
	magic []byte
}

func (w *segmentWriter) Write(p []byte) (int, error) {
	if len(w.magic) < 2 {
		w.magic = append(w.magic, p[:min(len(p), 2-len(w.magic))]...)
	}
	return w.countingWriter.Write(p)
}

// ReadFrom looks at the first bytes, and leaves the rest to the system.
func (w *segmentWriter) ReadFrom(r io.Reader) (int64, error) {
	if len(w.magic) < 2 {
		return io.Copy(struct{ io.Writer }{w}, r)
	}
	return w.countingWriter.ReadFrom(r)
}

// end makes the room: the next segment may be an archive that is not compressed, and the
// end of lz4 is where four zeros are (lib/decompress_unlz4.c).
func (w *segmentWriter) end() error {
	padding := -w.n & (segmentAlign - 1)
	if codec.Detect(w.magic) == "lz4" {
		padding += 4
	}
	return writeZeros(w, padding)
}
