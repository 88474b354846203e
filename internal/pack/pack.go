// Package pack makes an archive of what lists, directories and archives say: it reads
// them into entries (package source), completes the entries (package plan), and writes
// them (package write). It also joins the layers of an image.
package pack

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/plan"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// Options say what to pack and how.
type Options struct {
	write.Options
	// Read says how lists are read.
	Read source.Options
	// Lists are the names of the lists, directories and archives, packed one after the
	// other.
	Lists []string
	// Libraries are the names of directories and archives from which the programs get what they
	// need at run time, as LibraryOptions say, and nothing else.
	Libraries []string
	source.LibraryOptions
	// Outputs is the directory of what the actions of a build made, for
	// source.Sources.ResolveOutputs; empty outside of a build.
	Outputs string
	// Earlier are the names of lists with the symbolic links of earlier layers, as Links
	// writes them.
	Earlier []string
	// ModuleCatalogs are the names of files that say which kernel modules the sources have, for
	// merging the indexes of several. Lists may name more.
	ModuleCatalogs []string
	// Parents adds missing parent directories.
	Parents bool
	// AllowDuplicates packs a path twice that is given twice: the last one counts.
	AllowDuplicates bool
	// Dedupe makes hard links of regular files with the same content, mode and owner.
	Dedupe bool
}

// Run packs. On an error, and when ctx ends, no output has its name.
func Run(ctx context.Context, opts Options) error {
	opts.Read.Parents = opts.Parents
	if err := checkOutputs(opts); err != nil {
		return err
	}
	sources, err := source.Open(ctx, opts.Lists, opts.Read)
	if err != nil {
		return err
	}
	defer sources.Close()
	if len(opts.Libraries) > 0 {
		if err := sources.AddLibraries(ctx, opts.Libraries, opts.LibraryOptions, opts.Read.Owner); err != nil {
			return err
		}
	}
	if opts.Outputs != "" {
		if err := sources.ResolveOutputs(opts.Outputs); err != nil {
			return err
		}
	}
	entries, err := plan.Apply(sources.Entries, sources.Changes, sources.Libraries, opts.Layer)
	if err != nil {
		return err
	}
	earlier, err := source.ReadLists(ctx, opts.Earlier, source.Options{})
	if err != nil {
		return err
	}
	if err := mergeModuleIndexes(entries, slices.Concat(opts.ModuleCatalogs, sources.ModuleCatalogs)); err != nil {
		return err
	}
	entries, err = plan.CompleteLayer(entries, earlier, opts.Parents, opts.AllowDuplicates)
	if err != nil {
		return err
	}
	if opts.Dedupe {
		if entries, err = plan.Dedupe(ctx, entries); err != nil {
			return err
		}
	}
	if !opts.Parents {
		if err := plan.CheckUnpacked(entries); err != nil {
			return err
		}
	}
	return write.Outputs(ctx, entries, opts.Options)
}

// mergeModuleIndexes makes the indexes of kernel modules whole if several layers have modules. It
// checks the catalog of a single layer, too.
func mergeModuleIndexes(entries []*list.Entry, names []string) error {
	catalogs, err := source.ReadModuleCatalogs(names)
	if err != nil {
		return err
	}
	return plan.MergeModuleIndexes(entries, catalogs)
}

// Layers are the files of the layers of an image.
type Layers struct {
	// Archives are as packing with write.Options.Layer gives them; Lists are their completed
	// lists.
	Archives, Lists []string
	// ModuleCatalogs say which kernel modules the layers have, for merging the indexes of several.
	ModuleCatalogs []string
}

// Join makes an image of layers, each an archive as packing with write.Options.Layer gives
// it, and the completed list of what it has. The archives are copied as they are. The lists
// say whether the layers fit together: a path that two of them have is an error unless the
// later one replaces it, and so is anything that would not be unpacked as the layers say.
// Of opts, what is around the archive and the outputs count, and Method is for the little
// that Join adds: directories that one layer gives and a later one added get their modes
// and owners back at the end.
//
// Without archives, Join checks the lists all the same and writes what follows the last
// layer, which may be nothing. What is in front, the layers and this, each at a multiple of
// 4 bytes, are the image. The listings are those of the whole image.
//
// If several layers have kernel modules of one kernel, their indexes for all of these modules
// follow the last layer, too.
func Join(ctx context.Context, files Layers, opts write.Options) error {
	joined := write.Joined{Parts: files.Archives}
	layers := make([][]*list.Entry, len(files.Lists))
	for i, name := range files.Lists {
		layer, err := source.ReadLayer(name)
		if err != nil {
			return err
		}
		// The listing is of what the layer has, before it is merged.
		joined.Layers = append(joined.Layers, write.Archived{Entries: clone(layer.Entries), Members: layer.Members})
		if layers[i], err = plan.Apply(layer.Entries, layer.Changes, nil, true); err != nil {
			return err
		}
	}
	indexes, err := endModuleIndexes(layers, files.ModuleCatalogs)
	if err != nil {
		return err
	}
	var restored []*list.Entry
	if joined.Entries, restored, err = plan.MergeLayers(append(layers, indexes), opts.MTime); err != nil {
		return err
	}
	joined.End = append(indexes, restored...)
	return write.Join(ctx, joined, opts)
}

// endModuleIndexes returns the indexes of kernel modules that follow the layers.
func endModuleIndexes(layers [][]*list.Entry, names []string) ([]*list.Entry, error) {
	catalogs, err := source.ReadModuleCatalogs(names)
	if err != nil {
		return nil, err
	}
	return plan.EndModuleIndexes(layers, catalogs)
}

// checkOutputs refuses outputs in a directory that is packed: the next run would pack them.
func checkOutputs(opts Options) error {
	outputs := append([]string{opts.Out, opts.ListOut, opts.ContentsOut, opts.DepsOut}, slices.Collect(maps.Values(opts.ViewsOut))...)
	for _, dir := range opts.Lists {
		root, err := filepath.EvalSymlinks(dir)
		if info, statErr := os.Stat(root); dir == "-" || err != nil || statErr != nil || !info.IsDir() {
			continue // reading it reports what is wrong
		}
		for _, name := range outputs {
			if name == "" {
				continue
			}
			in, err := isBelow(name, root)
			if err != nil {
				return fmt.Errorf("cannot write: %w", err)
			}
			if in {
				return fmt.Errorf("%s is in the directory %s, which is packed, and would be packed by the next run: write it elsewhere", name, dir)
			}
		}
	}
	return nil
}

// isBelow reports whether a file, which may not exist, is in a directory.
func isBelow(name, dir string) (bool, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return false, nil // such as a pipe, which is packed as one
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		parent, err := filepath.EvalSymlinks(filepath.Dir(name))
		if err != nil {
			return false, nil // writing reports it
		}
		real = filepath.Join(parent, filepath.Base(name))
	}
	if real, err = filepath.Abs(real); err != nil {
		return false, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return false, err
	}
	relative, err := filepath.Rel(dir, real)
	return err == nil && filepath.IsLocal(relative), nil
}

// Links writes the symbolic links among what lists, directories and archives say to the file
// out, as a list: what packing a later layer needs to know of this one.
func Links(ctx context.Context, names []string, opts source.Options, out string) error {
	sources, err := source.Open(ctx, names, opts)
	if err != nil {
		return err
	}
	defer sources.Close()
	replaced := map[string]string{}
	for _, r := range sources.Changes.Replacements {
		replaced[r.Path] = r.Pos.Origin
	}
	links := slices.DeleteFunc(sources.Entries, func(e *list.Entry) bool {
		origin, ok := replaced[list.CleanPath(e.Name)]
		return e.Kind != list.Symlink || ok && origin != e.Pos.Origin
	})
	return write.File(ctx, out, func(w io.Writer) error { return list.Write(w, links, nil) })
}

// clone returns entries that can be changed without changing these.
func clone(entries []*list.Entry) []*list.Entry {
	cloned := make([]*list.Entry, len(entries))
	for i, e := range entries {
		cloned[i] = new(*e)
	}
	return cloned
}
