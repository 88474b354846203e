package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// merger puts the layers of an image together as a kernel does that unpacks them
// one after the other, each with a trailer at its end.
type merger struct {
	kernel *kernel.Model
	mtime  uint32
	layer  int
	ino    uint32
	// given has what gave each path, where the kernel puts it.
	given map[string]gift
	// entries are those of all layers, less what was replaced.
	entries []*list.Entry
	faults  []error
	// unlinked tells that a symbolic link was replaced, which names may be below.
	unlinked bool
}

// gift is an entry and the one of its names that makes a path: not that path where
// symbolic links lead there.
type gift struct {
	*list.Entry
	name string
}

// MergeLayers returns the entries of all layers, and what has to be unpacked after them:
// directories that one layer gives and a later one has added, which takes their
// modes and owners from them. That paths are given twice, or that the kernel would
// make something else of the layers than they say, are faults.
func MergeLayers(layers [][]*list.Entry, mtime uint32) (entries, again []*list.Entry, err error) {
	m := &merger{kernel: kernel.NewModel(), mtime: mtime, given: map[string]gift{}}
	for i, layer := range layers {
		m.layer, m.ino = i, list.FirstIno
		for _, e := range layer {
			m.add(e)
		}
	}
	if len(m.faults) > 0 {
		return nil, nil, errors.Join(m.faults...)
	}
	if m.unlinked {
		m.straighten()
	}
	m.kernel.End() // which gives directories their times
	for _, e := range m.entries {
		if e.Kind != list.Dir {
			continue
		}
		f, _, err := m.kernel.Lookup(e.Name)
		if err != nil {
			return nil, nil, &list.Error{Pos: e.Pos, Err: fmt.Errorf("%s: %w", list.CleanPath(e.Name), err)}
		}
		if f.Mode != e.Mode() || f.UID != e.UID || f.GID != e.GID {
			again = append(again, e)
		}
		if f.MTime != m.timeOf(e) {
			return nil, nil, &list.Error{Pos: e.Pos, Err: fmt.Errorf(
				"%s: a layer before this one has the directory, and its time stays: give it the time there", list.CleanPath(e.Name))}
		}
	}
	return m.entries, again, nil
}

func (m *merger) timeOf(e *list.Entry) uint32 {
	if e.MTime != nil {
		return *e.MTime
	}
	return m.mtime
}

func (m *merger) fault(e *list.Entry, format string, args ...any) {
	if len(m.faults) < list.MaxErrors {
		m.faults = append(m.faults, &list.Error{Pos: e.Pos, Err: fmt.Errorf(format, args...)})
	}
}

// add unpacks an entry, a record a name.
func (m *merger) add(e *list.Entry) {
	ino := m.ino
	m.ino++
	names := e.Names()
	kept := true
	for i, name := range names {
		record := &kernel.Record{
			Name: name, Mode: e.Mode(), UID: e.UID, GID: e.GID, MTime: m.timeOf(e), RMajor: e.Major, RMinor: e.Minor,
			Target: e.Target, NLink: uint32(len(names)), Inode: kernel.Inode{Trailers: m.layer, Ino: ino},
		}
		if e.Kind == list.Symlink {
			record.Size = int64(len(e.Target) + 1)
		} else if e.Kind == list.File && i == len(names)-1 {
			record.Size = 1 // whatever it is: the kernel goes by whether there is any
		}
		made := m.kernel.Add(record)
		if made.Drop != 0 {
			m.dropped(e, name, made)
			return
		}
		if m.claim(e, name, made) {
			kept = false
		}
	}
	if kept {
		m.entries = append(m.entries, e)
	}
}

// dropped reports a name that the kernel would drop.
func (m *merger) dropped(e *list.Entry, name string, made kernel.Result) {
	path := list.CleanPath(name)
	switch first := m.given[path]; {
	case first.Entry == nil || slices.Contains(e.Replaces, path):
		m.fault(e, "%s would be dropped by the kernel: %s", path, made.Detail)
	case first.Added:
		m.fault(e, "%s is a directory that %s needs", path, first.Pos)
	default:
		m.fault(e, "%s is given twice: first by %s", path, first.Pos)
	}
}

// claim notes that a name of e gives what the kernel has made. It tells whether an
// entry before it stands for it: the same directory.
func (m *merger) claim(e *list.Entry, name string, made kernel.Result) (stands bool) {
	path := made.Path
	first := m.given[path]
	replaces := slices.Contains(e.Replaces, path)
	switch {
	case first.Entry == nil && replaces:
		m.fault(e, "replaces: no target before this one has an entry %s: take the path out", path)
	case first.Entry == nil:
	case e.Added && first.Kind == list.Dir:
		return true
	case e.Added && first.Kind == list.Symlink:
		m.fault(e, "it needs the directory %s, which is a symbolic link of %s: name the path that it leads to", path, first.Pos)
	case e.Added:
		m.fault(e, "it needs the directory %s, which is a %s of %s", path, first.Kind, first.Pos)
	case first.Added && e.Kind == list.Dir:
		// The first one keeps the place, before what is in it.
		first.Perm, first.UID, first.GID, first.MTime, first.Pos, first.Added = e.Perm, e.UID, e.GID, e.MTime, e.Pos, false
		return true
	case first.Added:
		m.fault(e, "%s is a directory that %s needs", path, first.Pos)
	case !replaces:
		m.fault(e, "%s is given twice: first by %s", path, first.Pos)
	case e.Kind == list.File && first.Kind == list.File && len(first.Names()) > 1:
		m.fault(e, "replaces: %s is one of %d names of a file of %s, which the kernel would change too: pack both in one segment", path, len(first.Names()), first.Pos)
	case e.Kind == list.Node && made.File != nil && (made.File.RMajor != e.Major || made.File.RMinor != e.Minor):
		m.fault(e, "replaces: %s is a device already, whose numbers the kernel keeps: pack both in one segment", path)
	case e.Kind == list.Dir && first.Kind == list.Dir:
		first.Perm, first.UID, first.GID, first.MTime, first.Pos = e.Perm, e.UID, e.GID, e.MTime, e.Pos
		return true
	default:
		m.remove(first)
	}
	m.given[path] = gift{e, name}
	return false
}

// straighten makes the names of all entries those that they lead to: a list has no
// place for a symbolic link that was there for some of its entries only.
func (m *merger) straighten() {
	for path, g := range m.given {
		if list.CleanPath(g.name) == path {
			continue
		}
		names := slices.Clone(g.Names())
		names[slices.Index(names, g.name)] = path[1:]
		g.Name, g.Links = names[0], names[1:]
	}
}

// remove takes a name off the entry that has it.
func (m *merger) remove(g gift) {
	m.unlinked = m.unlinked || g.Kind == list.Symlink
	names := slices.DeleteFunc(slices.Clone(g.Names()), func(name string) bool { return name == g.name })
	if len(names) > 0 {
		g.Name, g.Links = names[0], names[1:]
		return
	}
	m.entries = slices.DeleteFunc(m.entries, func(other *list.Entry) bool { return other == g.Entry })
}
