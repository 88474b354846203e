package pack

import (
	"context"
	"fmt"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/plan"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
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
func Join(ctx context.Context, layers []Layer, opts write.Options) error {
	var segments, lists []string
	for _, layer := range layers {
		segments = append(segments, layer.Segment)
		lists = append(lists, layer.List)
	}
	return join(ctx, segments, lists, false, opts)
}

// JoinTail makes the end of an image of layers, from their lists: all that Join puts behind
// the last segment, which may be nothing. What is in front, the segments and it, each at a
// multiple of 4 bytes, are the image. It checks all that Join does, but the segments.
func JoinTail(ctx context.Context, lists []string, opts write.Options) error {
	return join(ctx, nil, lists, true, opts)
}

func join(ctx context.Context, segments, names []string, tail bool, opts write.Options) error {
	lists := make([][]*list.Entry, len(names))
	for i, name := range names {
		var err error
		if lists[i], err = readLayer(name); err != nil {
			return err
		}
	}
	entries, again, err := plan.MergeLayers(lists, opts.MTime)
	if err != nil {
		return err
	}
	return write.Joined(ctx, segments, tail, entries, again, opts)
}

func readLayer(name string) ([]*list.Entry, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the layer's list: %w", err)
	}
	defer file.Close()
	return source.ReadCompleted(name, file)
}
