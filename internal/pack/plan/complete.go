// Package plan turns the entries that were read into those that are written.
package plan

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// implied is the mode of a directory that no list names; its owner is 0 0.
const implied = 0o755

// Complete merges what is given twice: function twice has the rule. With parents, it also
// puts every directory before what is in it, adding those that are missing (mode 0755,
// owner 0 0): the kernel silently drops an entry whose directory is not there. Then a
// directory merges with the one that a symbolic link given before it leads to.
//
// Where duplicates are allowed, a path that is given twice is packed twice. Only with
// parents must what leads to others, a directory or a symbolic link, be the same both
// times.
func Complete(entries []*list.Entry, parents, duplicates bool) ([]*list.Entry, error) {
	return CompleteLayer(entries, nil, parents, duplicates)
}

// CompleteLayer is Complete for a layer of an image. Earlier layers have the symbolic links
// of earlier: names of the layer lead over them.
func CompleteLayer(entries, earlier []*list.Entry, parents, duplicates bool) ([]*list.Entry, error) {
	if duplicates && !parents {
		return entries, nil
	}
	c := completer{
		earlier:    make(map[string]*list.Entry, len(earlier)),
		duplicates: duplicates,
		named:      make(map[string]*list.Entry, len(entries)),
		placed:     make(map[string]*list.Entry),
		done:       make(map[*list.Entry]bool),
		equal:      equalEntries{},
		model:      kernel.NewModel(),
	}
	for _, e := range earlier {
		if e.Kind == list.Symlink {
			c.earlier[list.CleanPath(e.Name)] = e
		}
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e *list.Entry) bool {
		return !c.claimNames(e, parents)
	})
	if err := c.errors.Err(); !parents || err != nil {
		return entries, err
	}
	c.entries = make([]*list.Entry, 0, len(entries))
	for _, e := range entries {
		c.place(e)
	}
	return c.entries, c.errors.Err()
}

type completer struct {
	// named has every path as given; placed, every path already in entries, by
	// where it really is once symbolic links are followed.
	named, placed map[string]*list.Entry
	// earlier has the symbolic links of earlier layers.
	earlier map[string]*list.Entry
	done    map[*list.Entry]bool
	// model has the directories and the symbolic links that are in entries.
	model   *kernel.Model
	entries []*list.Entry
	errors  list.Errors
	// duplicates allows paths that are given twice.
	duplicates bool
	// equal are entries that were found to merge. full is set once there are too many errors.
	equal equalEntries
	full  bool
}

// claimNames makes e the owner of its names, and reports whether any of them is its own.
func (c *completer) claimNames(e *list.Entry, parents bool) bool {
	own := false
	for _, name := range e.Names() {
		name = list.CleanPath(name)
		first := c.named[name]
		if first == nil && !slices.Contains(e.Replaces, name) {
			first = c.earlier[name]
		}
		if parents && !c.duplicates && e.Kind == list.Dir && first != nil && first.Kind == list.Symlink {
			own = true // it is the directory that the link leads to
			continue
		}
		own = c.claim(c.named, name, e) || own
	}
	return own
}

// claim makes e the owner of the path name, unless another entry is. It reports whether e
// is to be packed for it.
func (c *completer) claim(paths map[string]*list.Entry, name string, e *list.Entry) bool {
	first := paths[name]
	switch {
	case first == nil:
		paths[name] = e
		return true
	case c.duplicates:
		c.checkDuplicate(name, first, e)
		return true
	}
	if c.equal.has(first, e) || c.full {
		return false
	}
	setDigest(first)
	setDigest(e)
	err := twice(e, name, first)
	c.equal.note(first, e, err)
	c.full = !c.errors.Add(err)
	return false
}

// equalEntries are pairs of entries that merge: those of a file with many names are compared
// once, not for each name.
type equalEntries map[[2]*list.Entry]bool

func (q equalEntries) has(first, e *list.Entry) bool { return q[[2]*list.Entry{first, e}] }

// note notes what twice has returned.
func (q equalEntries) note(first, e *list.Entry, err error) {
	if err == nil && len(e.Links) > 0 {
		q[[2]*list.Entry{first, e}] = true
	}
}

func errorf(e *list.Entry, format string, args ...any) error {
	return &list.Error{Pos: e.Pos, Err: fmt.Errorf(format, args...)}
}

// checkDuplicate checks that what is below the path name does not depend on which of two
// entries makes it.
func (c *completer) checkDuplicate(name string, first, e *list.Entry) {
	leads := func(e *list.Entry) bool { return e.Kind == list.Dir || e.Kind == list.Symlink }
	if (leads(first) || leads(e)) && (first.Kind != e.Kind || first.Target != e.Target) {
		c.errors.Add(errorf(e, "%s is given twice and leads to two places: it is first in %s; parent directories cannot be added below it", name, first.Pos))
	}
}

// place appends e, after the directories that its names need.
func (c *completer) place(e *list.Entry) {
	if c.done[e] {
		return
	}
	c.done[e] = true
	if e.Kind == list.Dir && c.named[list.CleanPath(e.Name)] != e && !c.duplicates {
		c.placeLinked(e)
		return
	}
	real := make([]string, 0, 1)
	for _, name := range e.Names() {
		name = list.CleanPath(name)
		dir, ok := c.directory(path.Dir(name), e)
		if !ok {
			return
		}
		real = append(real, path.Join(dir, path.Base(name)))
	}
	c.placeAt(e, real[0])
	for _, name := range real[1:] {
		c.claim(c.placed, name, e)
	}
}

// placeLinked gives a directory the place that the symbolic link of its name leads to.
func (c *completer) placeLinked(e *list.Entry) {
	dir, ok := c.directory(list.CleanPath(e.Name), e)
	if !ok {
		return
	}
	e.Name = cmp.Or(dir[1:], ".")
	c.placeAt(e, dir)
}

// placeAt appends e, which has the path at once symbolic links are followed, unless it
// merges with what has that path.
func (c *completer) placeAt(e *list.Entry, at string) {
	first := c.placed[at]
	switch {
	case e.Kind == list.Dir && first != nil && first.Added:
		// It was named after all, by way of a symbolic link.
		takeMetadata(first, e)
		first.Added = false
	case c.claim(c.placed, at, e):
		c.append(e)
	}
}

// directory makes sure that the directory dir, which e needs, has its place, and returns
// its path without symbolic links. It goes as far as the kernel would, and places what is
// missing there, until the kernel would come to the end.
func (c *completer) directory(dir string, e *list.Entry) (string, bool) {
	for {
		found := c.model.Directory(dir)
		switch found.Drop {
		case 0:
			return found.Path, true
		case kernel.DropNoParent:
		case kernel.DropLoop:
			c.errors.Add(errorf(e, "%s is below a loop of symbolic links: %s", list.CleanPath(e.Name), found.Path))
			return "", false
		default:
			c.errors.Add(errorf(e, "%s cannot be unpacked: %s", list.CleanPath(e.Name), found.Detail))
			return "", false
		}
		at := c.named[found.Path]
		if at == nil {
			at = c.placed[found.Path]
		}
		link := c.earlier[found.Path]
		switch {
		case at == nil && link != nil:
			c.lead(link, found.Path)
		case at == nil:
			at = &list.Entry{Kind: list.Dir, Name: found.Path[1:], Perm: implied, Added: true, Pos: e.Pos}
			c.done[at] = true
			c.placeAt(at, found.Path)
		case at.Kind != list.Dir && at.Kind != list.Symlink:
			c.errors.Add(errorf(e, "%s cannot be in %s, which is a %s (from %s)", list.CleanPath(e.Name), found.Path, at.Kind, at.Pos))
			return "", false
		default:
			if c.place(at); c.placed[found.Path] == nil {
				return "", false // what is wrong with it has been reported
			}
		}
	}
}

// append appends an entry.
func (c *completer) append(e *list.Entry) {
	c.entries = append(c.entries, e)
	if e.Kind == list.Dir || e.Kind == list.Symlink {
		if made := c.lead(e, e.Name); made.Drop != 0 {
			c.errors.Add(errorf(e, "the kernel drops %s: %s", list.CleanPath(e.Name), made.Detail))
		}
	}
}

// lead adds a directory or a link, which names may lead through, to the model.
func (c *completer) lead(e *list.Entry, name string) kernel.Result {
	return c.model.Add(&kernel.Record{Name: name, Mode: e.Mode(), Target: e.Target})
}
