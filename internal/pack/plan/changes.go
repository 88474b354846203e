package plan

import (
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

type place struct{ origin, path string }

// Apply makes the changes that directives ask for, and adds what the programs need of the sources of
// libraries. A replacement lets the last entry of its origin win over all entries before it, those of
// the origin included. In a layer, it may also replace one of an earlier layer: its Replaces then has
// the path, or its Replaced if it has replaced another one here.
func Apply(entries []*list.Entry, changes source.Changes, libraries []*source.Libraries, layer bool) ([]*list.Entry, error) {
	var errs list.Errors
	link(entries, changes.Links, &errs)
	matched := make([]bool, len(changes.Metadata))
	setMetadata(entries, changes.Metadata, matched)
	for _, l := range libraries {
		before := map[*list.Entry]bool{}
		for _, e := range entries {
			before[e] = true
		}
		var err error
		if entries, err = takeLibraries(entries, l); err != nil {
			errs.Add(err)
			continue
		}
		taken := slices.DeleteFunc(slices.Clone(entries), func(e *list.Entry) bool { return before[e] })
		setMetadata(taken, changes.Metadata, matched)
	}
	for i, m := range changes.Metadata {
		switch _, plain := m.Pattern.Plain(); {
		case matched[i]:
		case plain:
			errs.Add(m.Errorf("this target has no entry %s; a parent directory that is added has no metadata: give it an entry", m.Pattern))
		default:
			errs.Add(m.Errorf("no entry of this target matches %s; a trailing slash matches directories, and nothing else does", m.Pattern))
		}
	}
	entries = replace(entries, changes.Replacements, layer, &errs)
	return entries, errs.Err()
}

func link(entries []*list.Entry, links []source.Link, errs *list.Errors) {
	if len(links) == 0 {
		return
	}
	files := map[place]*list.Entry{}
	for _, e := range entries {
		if e.Kind != list.File {
			continue
		}
		for _, name := range e.Names() {
			files[place{e.Pos.Origin, list.CleanPath(name)}] = e
		}
	}
	for _, l := range links {
		e := files[place{l.Pos.Origin, l.File}]
		if e == nil {
			errs.Add(l.Errorf("%s: this target has no file %s: name a file of the same target", list.CleanPath(l.Name), l.File))
			continue
		}
		e.Links = append(e.Links, l.Name)
		files[place{l.Pos.Origin, list.CleanPath(l.Name)}] = e
	}
}

// setMetadata sets what metadata say of the entries, and notes which of them match any.
func setMetadata(entries []*list.Entry, metadata []source.Metadata, matched []bool) {
	if len(metadata) == 0 || len(entries) == 0 {
		return
	}
	byOrigin := map[string][]*list.Entry{}
	byPlace := map[place][]*list.Entry{}
	for _, e := range entries {
		byOrigin[e.Pos.Origin] = append(byOrigin[e.Pos.Origin], e)
		for _, name := range e.Names() {
			at := place{e.Pos.Origin, list.CleanPath(name)}
			byPlace[at] = append(byPlace[at], e)
		}
	}
	for i, m := range metadata {
		all := byOrigin[m.Pos.Origin]
		path, plain := m.Pattern.Plain()
		if plain {
			all = byPlace[place{m.Pos.Origin, list.CleanPath(path)}]
		}
		for _, e := range all {
			if plain || slices.ContainsFunc(e.Names(), func(name string) bool { return m.Pattern.Match(list.CleanPath(name), e.Kind == list.Dir) }) {
				set(e, m)
				matched[i] = true
			}
		}
	}
}

func set(e *list.Entry, m source.Metadata) {
	for _, field := range []struct{ to, from *uint32 }{{&e.Perm, m.Perm}, {&e.UID, m.UID}, {&e.GID, m.GID}} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	if m.MTime != nil {
		e.MTime = m.MTime
	}
}

func replace(entries []*list.Entry, replacements []source.Replacement, layer bool, errs *list.Errors) []*list.Entry {
	if len(replacements) == 0 {
		return entries
	}
	byPath := map[string][]*list.Entry{}
	for _, e := range entries {
		for _, name := range e.Names() {
			byPath[list.CleanPath(name)] = append(byPath[list.CleanPath(name)], e)
		}
	}
	removed := map[*list.Entry]bool{}
	for _, r := range replacements {
		all := byPath[r.Path]
		own := len(all) - 1
		for own >= 0 && all[own].Pos.Origin != r.Pos.Origin {
			own--
		}
		switch {
		case own < 0:
			errs.Add(r.Errorf("this target has no entry %s: add one, or remove the path here%s", printable.Text(r.Path), near(r.Path, byPath)))
			continue
		case layer:
			all[own].Attribute = r.Attribute
			if own == 0 && !r.Optional {
				all[own].Replaces = append(all[own].Replaces, r.Path)
			} else {
				all[own].Replaced = append(all[own].Replaced, r.Path)
			}
		case own == 0 && !r.Optional:
			errs.Add(r.Errorf(replacesNothing, printable.Text(r.Path), near(r.Path, byPath)))
		}
		for _, e := range all[:own] {
			if e == all[own] {
				continue // which gives the path twice
			}
			removed[e] = !e.DeleteNames(func(name string) bool { return list.CleanPath(name) == r.Path })
		}
		byPath[r.Path] = all[own:]
	}
	return slices.DeleteFunc(entries, func(e *list.Entry) bool { return removed[e] })
}

const replacesNothing = "no target before this one has an entry %s: remove the path here%s"

// near returns words about the paths that may be meant by one that is not there: those with
// the same last component, or with one other byte in the last component. It returns three
// at most.
func near[T any](wanted string, paths map[string]T) string {
	var similar []string
	for at := range paths {
		sameBase := path.Base(at) == path.Base(wanted)
		if at != wanted && (sameBase || path.Dir(at) == path.Dir(wanted) && oneOff(path.Base(at), path.Base(wanted))) {
			similar = append(similar, printable.Text(at))
		}
	}
	if len(similar) == 0 {
		return ""
	}
	slices.Sort(similar)
	return "; similar paths: " + strings.Join(similar[:min(3, len(similar))], ", ")
}

// oneOff reports whether two texts differ in one byte, which may be missing in one of them.
func oneOff(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	same := 0
	for same < len(a) && a[same] == b[same] {
		same++
	}
	return len(a) > 2 && len(b)-len(a) <= 1 && same < len(b) && (a[same:] == b[same+1:] || len(a) == len(b) && a[same+1:] == b[same+1:])
}
