package source

import (
	"errors"
	"maps"
	"math"
	"path"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// original is what a kernel makes of an archive that has nothing below it. The entries
// that the archive becomes must make the same: a list has fewer ways to say something
// than an archive, in which a record may depend on what an earlier one has lost.
type original struct {
	newModel func() *kernel.Model
	model    *kernel.Model
	// plain reports that the records are independent of each other, apart from
	// directories and the names of a file.
	plain bool
	// lost is the first name that the kernel drops, and lostResult says why.
	lost       string
	lostResult kernel.Result
}

// newOriginal returns an original without records. With parents, missing directories
// will be added.
func newOriginal(parents bool) *original {
	o := &original{newModel: kernel.NewModel, plain: true}
	if parents {
		o.newModel = kernel.NewImplied
	}
	o.model = o.newModel()
	return o
}

// add adds a record. created reports whether it makes a file where all directories exist.
func (o *original) add(e *image.Entry, created bool) error {
	made := o.model.Add(kernel.RecordOf(e))
	if made.Drop != 0 && o.lost == "" {
		o.lost, o.lostResult = e.Name, made
	}
	at := kernel.CleanPath(e.Name)
	switch {
	case made.Drop == kernel.DropNoParent && e.NLink < 2 && (e.Name == at || "/"+e.Name == at || e.Name == "."+at):
	case made.Drop != 0, made.Path != at, made.Created != created:
		o.plain = false
	case made.Replaced == nil:
	case made.File.Type() != cpio.TypeDir, made.File.Mode != made.Replaced.Mode, made.File.GID != made.Replaced.GID:
		o.plain = false // what was made in a directory with set-group-ID has its group
	}
	return o.model.Err()
}

// setGroups gives entries without a group the one that the kernel gives them, where a
// directory with set-group-ID would give them its own: with parents, directories come
// before what is in them.
func (o *original) setGroups(entries []*list.Entry) {
	for _, e := range entries {
		at := list.CleanPath(e.Name)
		if f, in := o.model.Files[at], o.model.Files[path.Dir(at)]; e.GID == math.MaxUint32 && f != nil && in.Mode&0o2000 != 0 {
			e.GID = f.GID
		}
	}
}

// compare reports an error unless the entries of t make what the archive makes.
func (a *archive) compare(o *original, t *tree) {
	if a.parents {
		o.setGroups(a.entries)
	}
	if o.plain {
		return
	}
	at, what := differ(o.model, t.unpack(o.newModel(), a.entries))
	switch {
	case at == "":
		return
	case o.lost != "":
		at, what = o.lost, "it cannot be unpacked: "+o.lostResult.Detail
	default:
		what = "no list describes this file as the kernel unpacks it (" + what + "): extract the archive, and pack the directory"
	}
	a.report(at, errors.New(what))
}

// unpack adds the entries of a tree to a model.
func (t *tree) unpack(m *kernel.Model, entries []*list.Entry) *kernel.Model {
	var records []cpio.Header
	for i, e := range entries {
		records = e.AppendRecords(records[:0], uint32(i), 0)
		for j, h := range records {
			r := &kernel.Record{
				Name: h.Name, Mode: h.Mode, UID: h.UID, GID: h.GID, RMajor: h.RMajor, RMinor: h.RMinor, Target: e.Target,
				NLink: h.NLink, Inode: kernel.Inode{Ino: h.Ino}, Body: -1,
			}
			if e.Kind == list.File && j == len(records)-1 {
				r.Size, r.Body = e.Content.Size(), t.bodies[e]
			}
			m.Add(r)
		}
	}
	return m
}

// differ returns the first path at which two models differ other than in times, and how
// they differ. The numbers of names of what is not a regular file do not count.
func differ(a, b *kernel.Model) (at, what string) {
	firsts := [2]map[*kernel.File]string{{}, {}}
	first := func(side int, f *kernel.File, at string) string {
		if firsts[side][f] == "" {
			firsts[side][f] = at
		}
		return firsts[side][f]
	}
	paths := slices.AppendSeq(slices.Collect(maps.Keys(a.Files)), maps.Keys(b.Files))
	slices.Sort(paths)
	for _, at := range slices.Compact(paths) {
		f, g := a.Files[at], b.Files[at]
		switch {
		case f == nil || g == nil:
			return at, "existence"
		case f.Type() != g.Type():
			return at, "type"
		case f.Mode != g.Mode && f.Type() != cpio.TypeSymlink:
			return at, "mode"
		case f.UID != g.UID || f.GID != g.GID:
			return at, "owner"
		case f.Target != g.Target:
			return at, "target"
		case f.RMajor != g.RMajor || f.RMinor != g.RMinor:
			return at, "device"
		case f.Type() != cpio.TypeRegular:
		case f.Size != g.Size || f.Size > 0 && f.Body != g.Body:
			return at, "content"
		case first(0, f, at) != first(1, g, at):
			return at, "hard links"
		}
	}
	return "", ""
}
