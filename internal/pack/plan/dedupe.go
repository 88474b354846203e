package plan

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// Dedupe makes one entry with hard links of all regular files that have the same
// content, mode and owner. The entry is where the last of them was, so all their
// directories come before it. Empty files stay as they are, and so do paths that are
// given twice, because the last one counts.
//
// It reads only files that have the size of another one. Files that cannot be read stay:
// packing them reports the error.
func Dedupe(ctx context.Context, entries []*list.Entry) ([]*list.Entry, error) {
	uses := map[string]int{}
	for _, e := range entries {
		for _, name := range e.Names() {
			uses[list.CleanPath(name)]++
		}
	}
	// alike has the entries of each size, mode and owner.
	type outside struct {
		size           int64
		perm, uid, gid uint32
	}
	alike := map[outside][]int{}
	for i, e := range entries {
		size := contentSize(e)
		if size <= 0 {
			continue
		}
		if !slices.ContainsFunc(e.Names(), func(name string) bool { return uses[list.CleanPath(name)] > 1 }) {
			key := outside{size, e.Perm, e.UID, e.GID}
			alike[key] = append(alike[key], i)
		}
	}
	merged := slices.Clone(entries)
	digests := locationDigests{}
	for _, group := range alike {
		if len(group) < 2 {
			continue
		}
		same := map[[sha256.Size]byte][]int{}
		for _, i := range group {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if digest, ok := digests.of(ctx, entries[i]); ok {
				same[digest] = append(same[digest], i)
			}
		}
		for _, files := range same {
			merge(merged, files)
		}
		clear(digests) // a location is in one group, because it has one size
	}
	return slices.DeleteFunc(merged, func(e *list.Entry) bool { return e == nil }), nil
}

// merge makes one entry of those at the places, at the last of these.
func merge(entries []*list.Entry, places []int) {
	if len(places) < 2 {
		return
	}
	last := places[len(places)-1]
	e := *entries[last]
	var names []string
	for _, i := range places {
		names = append(names, entries[i].Names()...)
		entries[i] = nil
	}
	e.Name, e.Links = names[0], names[1:]
	entries[last] = &e
}

// contentSize returns the size of a File, or -1 for anything else and if it cannot be read.
func contentSize(e *list.Entry) int64 {
	if e.Kind != list.File {
		return -1
	}
	if e.Content != nil {
		return e.Content.Size()
	}
	info, err := os.Stat(e.Location)
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	return info.Size()
}

type locationDigests map[string][sha256.Size]byte

func (d locationDigests) of(ctx context.Context, e *list.Entry) (digest [sha256.Size]byte, ok bool) {
	if digest, ok = d[e.Location]; ok && e.Content == nil {
		return digest, true
	}
	file, err := source.OpenContent(e)
	if err != nil {
		return digest, false
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, interrupt.Reader(ctx, file.Reader)); err != nil {
		return digest, false
	}
	h.Sum(digest[:0])
	if e.Content == nil {
		d[e.Location] = digest
	}
	return digest, true
}
