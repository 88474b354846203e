package source

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// What becomes of the whiteouts in archives and directories: entries by which a layer of a
// container image says what an earlier layer no longer has (layer.md of the OCI image
// specification).
const (
	// WhiteoutsError refuses them: they would be files without a meaning.
	WhiteoutsError = "error"
	// WhiteoutsApply takes archives for the layers of a container image: whiteouts remove
	// what earlier archives have, and a later entry replaces an earlier one of its path.
	WhiteoutsApply = "apply"
	// WhiteoutsKeep packs them as the files that they are.
	WhiteoutsKeep = "keep"
)

const (
	whiteoutPrefix = ".wh."
	opaqueWhiteout = ".wh..wh..opq"
)

// ParseWhiteouts reads what becomes of whiteouts.
func ParseWhiteouts(text string) (string, error) {
	switch text {
	case WhiteoutsError, WhiteoutsApply, WhiteoutsKeep:
		return text, nil
	}
	return "", fmt.Errorf("%q: want %s, %s or %s", text, WhiteoutsError, WhiteoutsApply, WhiteoutsKeep)
}

// whiteouts are those of an archive, by absolute path, and its other entries.
type whiteouts struct {
	// removed are the paths that earlier archives no longer have, with all below them;
	// opaque, the directories that are empty in them.
	removed, opaque map[string]bool
	// given are the entries by each of their paths.
	given map[string]*list.Entry
	// all are the entries that are packed.
	all []*list.Entry
	// emptied is what empties has found.
	emptied map[string]bool
}

// readWhiteouts takes the whiteouts out of the entries of an archive.
func readWhiteouts(entries []*list.Entry) (*whiteouts, error) {
	w := &whiteouts{map[string]bool{}, map[string]bool{}, map[string]*list.Entry{}, nil, map[string]bool{}}
	for _, e := range entries {
		if e.DeleteNames(func(name string) bool { return w.take(list.CleanPath(name)) }) {
			w.all = append(w.all, e)
			for _, name := range e.Names() {
				w.given[list.CleanPath(name)] = e
			}
		}
	}
	for at := range w.removed {
		if base := path.Base(at); base == "." || base == ".." {
			return nil, fmt.Errorf("the whiteout %s/%s%s names no entry", path.Dir(at), whiteoutPrefix, base)
		}
	}
	return w, nil
}

// take notes a whiteout, and reports whether the path is one.
func (w *whiteouts) take(at string) bool {
	dir, base := path.Split(at)
	hidden, ok := strings.CutPrefix(base, whiteoutPrefix)
	switch {
	case !ok || hidden == "":
		return false
	case base == opaqueWhiteout:
		w.opaque[path.Clean(dir)] = true
	case strings.HasPrefix(hidden, whiteoutPrefix): // what AUFS keeps for itself
	default:
		w.removed[dir+hidden] = true
	}
	return true
}

// hides reports whether an earlier entry of this path is gone.
func (w *whiteouts) hides(at string, isDir bool) bool {
	if e := w.given[at]; w.removed[at] || e != nil && !(isDir && e.Kind == list.Dir) {
		return true
	}
	return at != "/" && w.empties(parent(at))
}

// empties reports whether earlier entries in this directory are gone. It remembers the
// directories, so that the cost of an entry does not grow with the number of those above it.
func (w *whiteouts) empties(dir string) bool {
	var unknown []string
	empty, known := w.emptied[dir]
	for ; !known; empty, known = w.emptied[dir] {
		unknown = append(unknown, dir)
		if dir == "/" {
			break
		}
		dir = parent(dir)
	}
	for _, dir := range slices.Backward(unknown) {
		e := w.given[dir]
		empty = empty || w.removed[dir] || w.opaque[dir] || e != nil && e.Kind != list.Dir
		w.emptied[dir] = empty
	}
	return empty
}

// apply returns the entries of the archives so far, as this one leaves them. A directory
// that both have stays where it is, with the metadata of the later one.
func (w *whiteouts) apply(earlier []*list.Entry) []*list.Entry {
	merged := map[*list.Entry]bool{}
	var all []*list.Entry
	for _, e := range earlier {
		isDir := e.Kind == list.Dir
		if !e.DeleteNames(func(name string) bool { return w.hides(list.CleanPath(name), isDir) }) {
			continue
		}
		all = append(all, e)
		if given := w.given[list.CleanPath(e.Name)]; isDir && given != nil {
			e.Perm, e.UID, e.GID, e.MTime, e.Pos = given.Perm, given.UID, given.GID, given.MTime, given.Pos
			merged[given] = true
		}
	}
	for _, e := range w.all {
		if !merged[e] {
			all = append(all, e)
		}
	}
	return all
}

// addArchive adds the entries of an archive, to which the archives so far have given the
// entries from index from on. The error of a whiteout that is refused is in the words of
// fail.
func (r *reader) addArchive(entries []*list.Entry, from int, mode string, fail func(format string, args ...any) error) error {
	if mode == WhiteoutsApply {
		w, err := readWhiteouts(entries)
		if err != nil {
			return fail("%w", err)
		}
		r.Entries = append(r.Entries[:from:from], w.apply(r.Entries[from:])...)
		return nil
	}
	for _, e := range entries {
		for _, name := range e.Names() {
			if mode != WhiteoutsKeep && strings.HasPrefix(path.Base(name), whiteoutPrefix) {
				return fail("%s is a whiteout of a container image's layer: %q removes what it hides in the archives before, %q packs it as a file",
					printable.Text(list.CleanPath(name)), WhiteoutsApply, WhiteoutsKeep)
			}
		}
		r.add(e)
	}
	return nil
}
