package pack

import (
	"context"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/plan"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// Layer is a layer of an image: the archive with its trailer, compressed or not, and the
// completed list of what it has, as packing with write.Options.Layer gives them.
type Layer struct{ Archive, List string }

// Join makes an image of layers. The archives are copied as they are. The lists say
// whether the layers fit together: a path that two of them have is an error unless the
// later one replaces it, and so is anything that would not be unpacked as the layers say.
// Of opts, what is around the archive and the outputs count, and Method is for the little
// that Join adds: directories that one layer gives and a later one added get their modes
// and owners back at the end.
func Join(ctx context.Context, layers []Layer, opts write.Options) error {
	archives := make([]string, len(layers))
	lists := make([]string, len(layers))
	for i, layer := range layers {
		archives[i], lists[i] = layer.Archive, layer.List
	}
	return join(ctx, archives, lists, opts)
}

// JoinTail makes the end of an image of layers from their lists: all that Join adds after
// the last layer, which may be nothing. What is in front, the layers and the tail, each at a
// multiple of 4 bytes, are the image. It checks all that Join does, except the archives.
// The listings are those of the whole image.
func JoinTail(ctx context.Context, lists []string, opts write.Options) error {
	return join(ctx, nil, lists, opts)
}

func join(ctx context.Context, archives, lists []string, opts write.Options) error {
	joined := write.Joined{Parts: archives}
	layers := make([][]*list.Entry, len(lists))
	for i, name := range lists {
		layer, err := source.ReadLayer(name)
		if err != nil {
			return err
		}
		// The listing is of what the layer has, before it is merged.
		joined.Layers = append(joined.Layers, write.Archived{Entries: clone(layer.Entries), Members: layer.Members})
		if layers[i], err = plan.Apply(layer.Entries, layer.Changes, true); err != nil {
			return err
		}
	}
	var err error
	if joined.Entries, joined.Restored, err = plan.MergeLayers(layers, opts.MTime); err != nil {
		return err
	}
	return write.Join(ctx, joined, opts)
}

// clone returns entries that can be changed without changing these.
func clone(entries []*list.Entry) []*list.Entry {
	cloned := make([]*list.Entry, len(entries))
	copies := make([]list.Entry, len(entries))
	for i, e := range entries {
		copies[i] = *e
		cloned[i] = &copies[i]
	}
	return cloned
}
