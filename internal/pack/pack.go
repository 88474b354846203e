// Package pack makes an archive of what lists, directories and archives say: it reads
// them into entries (package source), completes the entries (package plan), and writes
// them (package write). It also joins the layers of an image.
package pack

import (
	"context"

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
	// Parents adds missing parent directories.
	Parents bool
	// AllowDuplicates packs a path that is given twice twice: the last one counts.
	AllowDuplicates bool
	// Dedupe makes hard links of regular files with the same content, mode and owner.
	Dedupe bool
}

// Run packs. On an error, and when ctx ends, no output has its name.
func Run(ctx context.Context, opts Options) error {
	sources, err := source.Open(ctx, opts.Lists, opts.Read)
	if err != nil {
		return err
	}
	defer sources.Close()
	entries, err := plan.Apply(sources.Entries, sources.Changes, opts.Layer)
	if err != nil {
		return err
	}
	entries, err = plan.Complete(entries, opts.Parents, opts.AllowDuplicates)
	if err != nil {
		return err
	}
	if opts.Dedupe {
		if entries, err = plan.Dedupe(ctx, entries); err != nil {
			return err
		}
	}
	return write.Outputs(ctx, entries, opts.Options)
}
