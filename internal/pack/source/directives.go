package source

import (
	"errors"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/glob"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// Changes are what directives say of entries of their origin, wherever these are.
type Changes struct {
	Links        []Link
	Metadata     []Metadata
	Replacements []Replacement
}

// Link gives the file with the path File another name.
type Link struct {
	*list.Directive
	Name, File string
}

// Metadata sets what entries have; nil leaves it.
type Metadata struct {
	*list.Directive
	Pattern               *glob.Glob
	Perm, UID, GID, MTime *uint32
}

// Replacement lets the entry with this path take the place of an earlier one.
type Replacement struct {
	*list.Directive
	Path string
	// Optional reports that there may be none.
	Optional bool
}

// origin is what the directives since the last origin said.
type origin struct {
	name string
	// locations are the files that its lists may name.
	locations []*location
	// vars are the values of ${VAR} in them.
	vars map[string]string
	// filter is what is taken of its archives.
	filter filter
	// whiteouts says what becomes of whiteouts in its archives; nil is an error.
	whiteouts *list.Directive
	// archives counts its archives; their entries begin at first.
	archives, first int
}

// location is a file that lists may name by its key, or as $(location NAME) by any of
// its names.
type location struct {
	*list.Directive
	key, path string
	names     []string
	used      bool
}

func (o *origin) find(text string) *location {
	name, named := strings.CutPrefix(text, "$(location ")
	name = strings.TrimSuffix(name, ")")
	for _, l := range o.locations {
		if l.key == name || named && slices.Contains(l.names, name) {
			return l
		}
	}
	return nil
}

// declared says what find would find.
func (o *origin) declared() string {
	if len(o.locations) == 0 {
		return "none is declared"
	}
	var keys []string
	for _, l := range o.locations {
		keys = append(keys, l.key)
	}
	return "declared: " + strings.Join(keys, ", ")
}

func (r *reader) direct(d *list.Directive) {
	switch {
	case d.Word == "member":
		r.Members = append(r.Members, list.Member{Codec: d.Args[0]})
		return
	case d.Word == "origin":
		r.endOrigin()
		r.origin = origin{name: d.Pos.Origin, vars: map[string]string{}}
		return
	case r.origin.name == "":
		r.errors.Add(d.Errorf("the directive is before any origin"))
		return
	}
	var err error
	switch d.Word {
	case "archive":
		err = r.archive(d)
	case "error":
		err = &list.Error{Pos: d.Pos, Err: errors.New(d.Args[0])}
		if d.Attribute != "" {
			err = d.Errorf("%s", d.Args[0])
		}
	case "exclude":
		err = addPattern(&r.origin.filter.excludes, d)
	case "include":
		err = addPattern(&r.origin.filter.includes, d)
	case "hardlink":
		r.Changes.Links = append(r.Changes.Links, Link{d, strings.TrimPrefix(d.Args[0], "/"), list.CleanPath(d.Args[1])})
	case "libraries":
		err = r.beginLibraries(d)
	case "library":
		err = r.beginLibrary(d)
	case "endlibraries":
		err = r.endLibraries(d)
	case "list":
		r.readDeclared(d)
	case "location":
		err = r.declare(d)
	case "metadata":
		err = r.metadata(d)
	case "modules":
		err = r.modules(d)
	case "replaced", "replaces":
		r.Changes.Replacements = append(r.Changes.Replacements, Replacement{d, list.CleanPath(d.Args[0]), d.Word == "replaced"})
	case "whiteouts":
		if _, err = ParseWhiteouts(d.Args[0]); err != nil {
			err = d.Errorf("%w", err)
		}
		r.origin.whiteouts = d
	case "var":
		r.origin.vars[d.Args[0]] = d.Args[1]
	}
	r.errors.Add(err)
}

// endOrigin checks that everything the origin declared was of use.
func (r *reader) endOrigin() {
	for _, l := range r.origin.locations {
		if !l.used {
			r.errors.Add(l.Errorf("no list names the location %q", l.key))
		}
	}
	for _, x := range slices.Concat(r.origin.filter.includes, r.origin.filter.excludes) {
		if !x.used {
			r.errors.Add(x.Errorf("%s matches nothing in the archives: remove it, or write the path in the image, prefix included", x.glob))
		}
	}
	r.origin = origin{}
}

func (r *reader) declare(d *list.Directive) error {
	l := &location{Directive: d, key: d.Args[0], path: d.Args[1], names: d.Args[2:]}
	for _, other := range r.origin.locations {
		if other.key == l.key {
			return d.Errorf("the location %q is declared twice", l.key)
		}
	}
	r.origin.locations = append(r.origin.locations, l)
	return nil
}

// readDeclared reads a list of the current origin, which names the locations that the
// origin declares.
func (r *reader) readDeclared(d *list.Directive) {
	r.inputs = append(r.inputs, d)
	opts := list.Options{Name: d.Args[0], Origin: r.origin.name, Vars: r.origin.vars, Locations: true}
	r.read(nil, opts, func(e *list.Entry) {
		if e.Kind == list.File {
			l := r.origin.find(e.Location)
			if l == nil {
				at := *d
				at.Pos = e.Pos
				r.errors.Add(at.Errorf("there is no location %q; %s", e.Location, r.origin.declared()))
				return
			}
			l.used = true
			e.Location = l.path
		}
		r.add(e)
	})
}

// metadata reads a pattern and fields such as mode=0755.
func (r *reader) metadata(d *list.Directive) error {
	m := Metadata{Directive: d}
	var err error
	if m.Pattern, err = glob.Parse("/" + strings.TrimLeft(d.Args[0], "/")); err != nil {
		return d.Errorf("%w", err)
	}
	for _, field := range d.Args[1:] {
		name, text, _ := strings.Cut(field, "=")
		set := map[string]**uint32{"mode": &m.Perm, "uid": &m.UID, "gid": &m.GID, "mtime": &m.MTime}[name]
		if set == nil {
			return d.Errorf("%s: unknown field %q: want mode, uid, gid or mtime", m.Pattern, name)
		}
		value, err := list.ParseField(name, text)
		if err != nil {
			return d.Errorf("%s: %w", m.Pattern, err)
		}
		*set = &value
	}
	r.Changes.Metadata = append(r.Changes.Metadata, m)
	return nil
}

// archive takes what is in an archive, below a prefix and less what the origin
// excludes.
func (r *reader) archive(d *list.Directive) error {
	name, prefix := d.Args[0], d.Args[1]
	r.inputs = append(r.inputs, d)
	if r.readArchive == nil {
		return d.Errorf("%s: a list of this kind cannot name archives", name)
	}
	entries, err := r.readArchive(name)
	if err != nil {
		return d.Errorf("%w", err)
	}
	if r.origin.archives++; r.origin.archives == 1 {
		r.origin.first = len(r.Entries)
	}
	var taken []*list.Entry
	for _, e := range entries {
		if list.CleanPath(e.Name) == "/" && prefix != "/" {
			continue // the archive's own root is the prefix
		}
		e.Pos = list.Pos{Origin: d.Pos.Origin, File: name}
		if e.Kind == list.File {
			e.Producer = d.Producer
		}
		e.Name = below(prefix, e.Name)
		for i := range e.Links {
			e.Links[i] = below(prefix, e.Links[i])
		}
		taken = append(taken, e)
	}
	whiteouts := r.origin.whiteouts
	if whiteouts == nil {
		whiteouts = &list.Directive{Word: "whiteouts", Args: []string{WhiteoutsError}}
	}
	at := *whiteouts
	at.Pos = list.Pos{Origin: d.Pos.Origin, File: name}
	return r.addArchive(r.origin.filter.keep(taken), r.origin.first, at.Args[0], at.Errorf)
}

// below puts a prefix, an absolute path, in front of a name.
func below(prefix, name string) string {
	prefix = strings.Trim(prefix, "/")
	switch {
	case prefix == "":
		return name
	case name == "":
		return prefix
	}
	return prefix + "/" + name
}

// filter says what is taken of archives. A pattern that matches a directory matches all
// below it. Excludes win over includes. Without includes, all is
// included.
type filter struct{ includes, excludes []*pattern }

type pattern struct {
	*list.Directive
	glob *glob.Glob
	used bool
}

func addPattern(to *[]*pattern, d *list.Directive) error {
	g, err := glob.Parse(d.Args[0])
	if err != nil {
		return d.Errorf("%w", err)
	}
	if path, plain := g.Plain(); plain && path == "/" {
		return d.Errorf("/ is all of the archives: name what is below it")
	}
	*to = append(*to, &pattern{Directive: d, glob: g})
	return nil
}

// keep returns the entries that are taken, less the names that are not. The directories
// above what is included are taken too, so that they keep their modes and owners.
func (f *filter) keep(entries []*list.Entry) []*list.Entry {
	includes, excludes := newMatcher(f.includes), newMatcher(f.excludes)
	above := map[string]bool{}
	if len(f.includes) > 0 {
		for _, e := range entries {
			for _, name := range e.Names() {
				if includes.match(name) {
					for at := list.CleanPath(name); at != "/" && !above[parent(at)]; {
						at = parent(at)
						above[at] = true
					}
				}
			}
		}
	}
	return slices.DeleteFunc(entries, func(e *list.Entry) bool {
		return !e.DeleteNames(func(name string) bool {
			excluded := excludes.match(name)
			included := len(f.includes) == 0 || includes.match(name) || e.Kind == list.Dir && above[list.CleanPath(name)]
			return excluded || !included
		})
	})
}

// parent is path.Dir of a clean absolute path, without a copy of it.
func parent(at string) string { return at[:max(1, strings.LastIndexByte(at, '/'))] }

// matcher matches names with patterns. It remembers the directories, so that the cost of a
// name does not grow with the number of directories above it.
type matcher struct {
	patterns []*pattern
	matched  map[string]bool
}

func newMatcher(patterns []*pattern) *matcher {
	return &matcher{patterns, map[string]bool{"/": false}}
}

// match reports whether one of the patterns matches a name or a directory above it.
func (m *matcher) match(name string) bool {
	at := list.CleanPath(name)
	if at == "/" || len(m.patterns) == 0 {
		return false
	}
	above := m.matchDirs(parent(at))
	return m.matchPath(at) || above
}

// matchDirs reports whether one of the patterns matches a directory, or one above it.
func (m *matcher) matchDirs(dir string) bool {
	// From the last directory that is known, down.
	end := len(dir)
	for end > 0 {
		if _, known := m.matched[dir[:end]]; known {
			break
		}
		end = strings.LastIndexByte(dir[:end], '/')
	}
	matched := end > 0 && m.matched[dir[:end]]
	for end < len(dir) {
		next := strings.IndexByte(dir[end+1:], '/')
		if next < 0 {
			end = len(dir)
		} else {
			end += 1 + next
		}
		matched = m.matchPath(dir[:end]) || matched
		m.matched[dir[:end]] = matched
	}
	return matched
}

func (m *matcher) matchPath(at string) bool {
	matched := false
	for _, p := range m.patterns {
		if p.glob.MatchPath(at) {
			p.used, matched = true, true
		}
	}
	return matched
}
