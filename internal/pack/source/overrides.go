package source

import (
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/glob"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// override is what a metadata directive says of the entries of its target.
type override struct {
	list.Pos
	pattern               *glob.Glob
	perm, uid, gid, mtime *uint32
}

// parseOverride reads a pattern and fields such as mode=0755.
func parseOverride(pos list.Pos, args []string) (override, error) {
	o := override{Pos: pos}
	var err error
	if o.pattern, err = glob.Parse("/" + strings.TrimLeft(args[0], "/")); err != nil {
		return o, err
	}
	for _, field := range args[1:] {
		key, text, _ := strings.Cut(field, "=")
		value, err := list.ParseAttribute(key, text)
		if err != nil {
			return o, err
		}
		switch key {
		case "mode":
			o.perm = &value
		case "uid":
			o.uid = &value
		case "gid":
			o.gid = &value
		case "mtime":
			o.mtime = &value
		}
	}
	return o, nil
}

func (o *override) apply(e *list.Entry) {
	set := func(field, value *uint32) {
		if value != nil {
			*field = *value
		}
	}
	set(&e.Perm, o.perm)
	set(&e.UID, o.uid)
	set(&e.GID, o.gid)
	if o.mtime != nil {
		e.MTime = o.mtime
	}
}

// matches tells whether the override is for one of the names of e.
func (o *override) matches(e *list.Entry) bool {
	return slices.ContainsFunc(e.Names(), func(name string) bool {
		return o.pattern.Match(list.CleanPath(name), e.Kind == list.Dir)
	})
}

// applyMetadata lets the overrides of each target change its entries.
func (r *reader) applyMetadata() {
	if len(r.metadata) == 0 {
		return
	}
	byOrigin := map[string][]*list.Entry{}
	byName := map[place]*list.Entry{}
	for _, e := range r.entries {
		byOrigin[e.Pos.Origin] = append(byOrigin[e.Pos.Origin], e)
		for _, name := range e.Names() {
			byName[place{e.Pos.Origin, list.CleanPath(name)}] = e
		}
	}
	for _, o := range r.metadata {
		matched := false
		if path, plain := o.pattern.Plain(); plain {
			if e := byName[place{o.Origin, list.CleanPath(path)}]; e != nil {
				o.apply(e)
				matched = true
			}
		} else {
			for _, e := range byOrigin[o.Origin] {
				if o.matches(e) {
					o.apply(e)
					matched = true
				}
			}
		}
		if matched {
			continue
		}
		if _, plain := o.pattern.Plain(); plain {
			r.fault(o.Pos, "metadata: this target has no entry %s; a parent folder that nobody names must be named in dirs", o.pattern)
		} else {
			r.fault(o.Pos, "metadata: this target has no entry that %s stands for; a slash at its end is for directories, none for all else", o.pattern)
		}
	}
}

// place is a path as a target gives it.
type place struct{ origin, path string }

// link is what a hardlink directive says: another name of a file of its target.
type link struct {
	list.Pos
	name, file string
}

// applyLinks gives files their other names.
func (r *reader) applyLinks() {
	if len(r.hardlinks) == 0 {
		return
	}
	files := map[place]*list.Entry{}
	for _, e := range r.entries {
		if e.Kind != list.File {
			continue
		}
		for _, name := range e.Names() {
			files[place{e.Pos.Origin, list.CleanPath(name)}] = e
		}
	}
	for _, l := range r.hardlinks {
		e := files[place{l.Origin, l.file}]
		if e == nil {
			r.fault(l.Pos, "hardlinks: %s: this target gives no file %s: name a file of the same target", list.CleanPath(l.name), l.file)
			continue
		}
		e.Links = append(e.Links, l.name)
		files[place{l.Origin, list.CleanPath(l.name)}] = e
	}
}

// replacement is what a replaces directive says: that the entry of its target with
// this path takes the place of one of a target before.
type replacement struct {
	list.Pos
	path string
}

// applyReplacements takes out what is replaced.
func (r *reader) applyReplacements() {
	if len(r.replacing) == 0 {
		return
	}
	givers := map[string][]*list.Entry{}
	for _, e := range r.entries {
		for _, name := range e.Names() {
			givers[list.CleanPath(name)] = append(givers[list.CleanPath(name)], e)
		}
	}
	gone := map[*list.Entry]bool{}
	for _, p := range r.replacing {
		all := givers[p.path]
		own := slices.IndexFunc(all, func(e *list.Entry) bool { return e.Pos.Origin == p.Origin })
		switch {
		case own < 0:
			r.fault(p.Pos, "replaces: this target has no entry %s: give it one, or take the path out", p.path)
		case own == 0 && r.opts.Layer:
			all[0].Replaces = append(all[0].Replaces, p.path)
		case own == 0:
			r.fault(p.Pos, "replaces: no target before this one has an entry %s: take the path out", p.path)
		}
		for _, e := range all[:max(own, 0)] {
			names := slices.DeleteFunc(slices.Clone(e.Names()), func(name string) bool { return list.CleanPath(name) == p.path })
			if gone[e] = len(names) == 0; !gone[e] {
				e.Name, e.Links = names[0], names[1:]
			}
		}
		if own > 0 {
			givers[p.path] = all[own:]
		}
	}
	r.entries = slices.DeleteFunc(r.entries, func(e *list.Entry) bool { return gone[e] })
}
