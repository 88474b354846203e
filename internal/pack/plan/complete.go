// Package plan turns the entries that were read into those that are written.
package plan

import (
	"fmt"
	"path"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// maxLinks is how many symbolic links the kernel follows in a path (MAXSYMLINKS).
const maxLinks = 40

// implied is the mode of a directory that nobody names; its owner is 0 0.
const implied = 0o755

// Complete checks that no path is given twice. With parents, it also puts every
// directory before what is in it, adding those that are missing (mode 0755,
// owner 0 0): the kernel drops, in silence, an entry whose directory is not there.
//
// Where duplicates are allowed, a path that is given twice is packed twice. Only with
// parents must what leads to others, a directory or a symbolic link, be the same both
// times.
func Complete(entries []*list.Entry, parents, duplicates bool) ([]*list.Entry, error) {
	if duplicates && !parents {
		return entries, nil
	}
	c := completer{
		duplicates: duplicates,
		named:      make(map[string]*list.Entry, len(entries)),
		placed:     make(map[string]*list.Entry),
		done:       make(map[*list.Entry]bool),
	}
	for _, e := range entries {
		for _, name := range e.Names() {
			c.claim(c.named, list.CleanPath(name), e)
		}
	}
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
	done          map[*list.Entry]bool
	entries       []*list.Entry
	errors        list.Errors
	// duplicates allows paths that are given twice.
	duplicates bool
}

// claim notes that e makes the path name, which no other entry may.
func (c *completer) claim(paths map[string]*list.Entry, name string, e *list.Entry) {
	if first := paths[name]; first != nil {
		if c.duplicates {
			c.checkDuplicate(name, first, e)
			return
		}
		c.errors.Add(twice(e, name, first))
		return
	}
	paths[name] = e
}

// twice is the error about a path that e has and first had before it.
func twice(e *list.Entry, path string, first *list.Entry) error {
	return errorf(e, "%s is given twice: first by %s", path, first.Pos)
}

func errorf(e *list.Entry, format string, args ...any) error {
	return &list.Error{Pos: e.Pos, Err: fmt.Errorf(format, args...)}
}

// checkDuplicate checks that it does not matter to what is below the path name
// which of two entries makes it.
func (c *completer) checkDuplicate(name string, first, e *list.Entry) {
	leads := func(e *list.Entry) bool { return e.Kind == list.Dir || e.Kind == list.Symlink }
	if (leads(first) || leads(e)) && (first.Kind != e.Kind || first.Target != e.Target) {
		c.errors.Add(errorf(e, "%s is given twice and leads to two places: first by %s; parent directories cannot be added below it", name, first.Pos))
	}
}

// place appends e, after the directories that its names need.
func (c *completer) place(e *list.Entry) {
	if c.done[e] {
		return
	}
	c.done[e] = true
	real := make([]string, 0, 1)
	for _, name := range e.Names() {
		name = list.CleanPath(name)
		links := maxLinks
		dir, ok := c.directory(path.Dir(name), e, &links)
		if !ok {
			return
		}
		real = append(real, path.Join(dir, path.Base(name)))
	}
	if at := c.placed[real[0]]; e.Kind == list.Dir && at != nil && at.Added {
		// It was named after all, by way of a symbolic link.
		at.Perm, at.UID, at.GID, at.Pos, at.Added = e.Perm, e.UID, e.GID, e.Pos, false
		return
	}
	for _, name := range real {
		c.claim(c.placed, name, e)
	}
	c.entries = append(c.entries, e)
}

// directory makes sure that the directory dir, which e needs, has its place, and
// returns where it really is. It takes the symbolic links that it follows off
// links, which the kernel counts over a whole path too.
func (c *completer) directory(dir string, e *list.Entry, links *int) (string, bool) {
	if dir == "/" {
		return dir, true
	}
	parent, ok := c.directory(path.Dir(dir), e, links)
	if !ok {
		return "", false
	}
	real := path.Join(parent, path.Base(dir))
	at := c.named[real]
	if at == nil {
		at = c.placed[real]
	}
	switch {
	case at == nil:
		at = &list.Entry{Kind: list.Dir, Name: real[1:], Perm: implied, Added: true, Pos: e.Pos}
		c.placed[real] = at
		c.done[at] = true
		c.entries = append(c.entries, at)
	case at.Kind == list.Dir:
		c.place(at)
	case at.Kind == list.Symlink:
		c.place(at)
		if *links == 0 {
			c.errors.Add(errorf(e, "%s is below a loop of symbolic links: %s", list.CleanPath(e.Name), real))
			return "", false
		}
		*links--
		target := at.Target
		if !path.IsAbs(target) {
			target = path.Join(parent, target)
		}
		return c.directory(path.Clean("/"+target), e, links)
	default:
		c.errors.Add(errorf(e, "%s cannot be in %s, which is a %s (from %s)", list.CleanPath(e.Name), real, at.Kind, at.Pos))
		return "", false
	}
	return real, true
}
