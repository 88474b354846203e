package plan

import (
	"cmp"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// merger puts the layers of an image together as a kernel does that unpacks them
// one after the other, each with a trailer at its end.
type merger struct {
	kernel *kernel.Model
	mtime  uint32
	layer  int
	ino    uint32
	// records are those of the current entry.
	records []cpio.Header
	// owners has which entry made each path, where the kernel puts it.
	owners map[string]owner
	// entries are those of all layers, less what was replaced.
	entries []*list.Entry
	errors  list.Errors
	// unlinked reports that a symbolic link was replaced, which names may be below.
	unlinked bool
	// equal and full are as in completer.
	equal equalEntries
	full  bool
}

// owner is an entry and the one of its names that makes a path: not that path where
// symbolic links lead there.
type owner struct {
	*list.Entry
	name string
}

// MergeLayers returns the entries of all layers, and those that have to be unpacked once
// more after the layers: a directory that a later layer added, which took the place of
// the mode and owner that an earlier one gave it. Paths that two layers give are errors,
// and so is what the kernel would unpack otherwise than the layers say. The layers'
// entries are changed.
func MergeLayers(layers [][]*list.Entry, mtime uint32) (entries, restored []*list.Entry, err error) {
	m := &merger{kernel: kernel.NewModel(), mtime: mtime, owners: map[string]owner{}, equal: equalEntries{}}
	for i, layer := range layers {
		m.layer, m.ino = i, list.FirstIno
		for _, e := range layer {
			m.add(e)
		}
	}
	if err := m.errors.Err(); err != nil {
		return nil, nil, err
	}
	if m.unlinked {
		m.resolveNames()
	}
	m.kernel.End() // which gives directories their times
	for _, e := range m.entries {
		e.Replaces, e.Replaced, e.Attribute = nil, nil, ""
		if e.Kind != list.Dir {
			continue
		}
		f, _, err := m.kernel.Lookup(e.Name)
		if err != nil {
			return nil, nil, errorf(e, "%s: %w", list.CleanPath(e.Name), err)
		}
		if f.Mode != e.Mode() || f.UID != e.UID || f.GID != e.GID {
			restored = append(restored, e)
		}
		if f.MTime != e.TimeOr(mtime) {
			return nil, nil, errorf(e, "%s: an earlier layer has the directory, and its time stays: set the same time here", list.CleanPath(e.Name))
		}
	}
	return m.entries, restored, nil
}

// add unpacks an entry, a record for each name.
func (m *merger) add(e *list.Entry) {
	m.records = e.AppendRecords(m.records[:0], m.ino, m.mtime)
	m.ino++
	placed := false
	for _, h := range m.records {
		result := m.kernel.Add(kernel.RecordOf(&image.Entry{Header: h, Target: e.Target, Trailers: m.layer}))
		if result.Drop != 0 {
			m.dropped(e, h.Name, result)
			return
		}
		placed = m.claim(e, h.Name, result) || placed
	}
	if placed {
		m.entries = append(m.entries, e)
	}
}

// dropped reports a name that the kernel would drop.
func (m *merger) dropped(e *list.Entry, name string, result kernel.Result) {
	path := list.CleanPath(name)
	switch first := m.owners[path]; {
	case first.Entry == nil || slices.Contains(e.Replaces, path) || slices.Contains(e.Replaced, path):
		m.errors.Add(errorf(e, "the kernel would drop %s: %s", path, result.Detail))
	case first.Added:
		m.errors.Add(errorf(e, "%s is a directory that %s needs", path, first.Pos))
	default:
		m.errors.Add(cmp.Or(twice(e, path, first.Entry), errorf(e, "the kernel would drop %s: %s", path, result.Detail)))
	}
}

// claim makes e the owner of the path that the kernel has made of one of its names. It
// reports whether e has a place of its own: a directory may share that of an earlier one.
func (m *merger) claim(e *list.Entry, name string, result kernel.Result) bool {
	path := result.Path
	first := m.owners[path]
	mayReplace := slices.Contains(e.Replaced, path)
	replaces := mayReplace || slices.Contains(e.Replaces, path)
	replacement := &list.Directive{Word: "replaces", Attribute: e.Attribute, Pos: e.Pos}
	switch {
	case (first.Entry == nil || first.Added) && replaces && !mayReplace:
		m.errors.Add(replacement.Errorf(replacesNothing, printable.Text(path), near(path, m.owners)))
	case first.Entry == nil:
	case e.Added && first.Kind == list.Dir:
		return false
	case e.Added && first.Kind == list.Symlink:
		m.errors.Add(errorf(e, "the layer needs the directory %s, which is a symbolic link of %s: pack it with --earlier and the links of that layer, or use the path that the link leads to", printable.Text(path), first.Pos))
	case e.Added:
		m.errors.Add(errorf(e, "the layer needs the directory %s, which is a %s of %s", printable.Text(path), kind.TypeOf(first.Mode()).Name, first.Pos))
	case first.Added && e.Kind == list.Dir:
		// The first one keeps the place, before what is in it.
		first.Added = false
		takeMetadata(first.Entry, e)
		return false
	case first.Added:
		m.errors.Add(errorf(e, "%s is a directory that %s needs", path, first.Pos))
	case !replaces:
		if !m.equal.has(first.Entry, e) && !m.full {
			err := twice(e, path, first.Entry)
			m.equal.note(first.Entry, e, err)
			m.full = !m.errors.Add(err)
		}
		return false
	case e.Kind == list.File && first.Kind == list.File && len(first.Names()) > 1:
		m.errors.Add(replacement.Errorf("%s is one of %d names of a file of %s, and the kernel would change all of them: put both files into one layer", path, len(first.Names()), first.Pos))
	case e.Kind == list.Node && result.File != nil && (result.File.RMajor != e.Major || result.File.RMinor != e.Minor):
		m.errors.Add(replacement.Errorf("%s is already a device, and the kernel keeps its numbers: put both devices into one layer", path))
	case e.Kind == list.Dir && first.Kind == list.Dir:
		takeMetadata(first.Entry, e)
		return false
	default:
		m.remove(first)
	}
	m.owners[path] = owner{e, name}
	return true
}

// takeMetadata gives the directory at e what other says of it.
func takeMetadata(e, other *list.Entry) {
	e.Perm, e.UID, e.GID, e.MTime, e.Pos = other.Perm, other.UID, other.GID, other.MTime, other.Pos
}

// resolveNames gives all entries the names that their names lead to: a list cannot say
// that a symbolic link was there for some of its entries only.
func (m *merger) resolveNames() {
	for path, o := range m.owners {
		if list.CleanPath(o.name) == path {
			continue
		}
		names := slices.Clone(o.Names())
		names[slices.Index(names, o.name)] = path[1:]
		o.Name, o.Links = names[0], names[1:]
	}
}

func (m *merger) remove(o owner) {
	m.unlinked = m.unlinked || o.Kind == list.Symlink
	if !o.DeleteNames(func(name string) bool { return name == o.name }) {
		m.entries = slices.DeleteFunc(m.entries, func(other *list.Entry) bool { return other == o.Entry })
	}
}
