package source

import (
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// target is what the directives since the last origin said.
type target struct {
	label string
	// locations are what the target's own lists may name.
	locations []*location
	// vars are the values of ${VAR} in them.
	vars map[string]string
	// excludes is what is left out of its archives.
	excludes excludes
}

// location is a file that lists may name, by a key or as $(location LABEL).
type location struct {
	key, path, label string
	used             bool
}

// find returns the location that a list names, or nil.
func (t *target) find(name string) *location {
	for _, l := range t.locations {
		if l.key == name {
			return l
		}
	}
	text, ok := strings.CutPrefix(name, "$(location ")
	if !ok {
		return nil
	}
	text = strings.TrimSuffix(text, ")")
	label := fullLabel(text, t.label)
	for _, l := range t.locations {
		if l.key == text || l.label == label {
			return l
		}
	}
	return nil
}

// declared says what find would find.
func (t *target) declared() string {
	if len(t.locations) == 0 {
		return "nothing is declared there"
	}
	var keys []string
	for _, l := range t.locations {
		keys = append(keys, l.key)
	}
	return "declared there: " + strings.Join(keys, ", ")
}

// fullLabel returns a label of the main repository the way the rules write it,
// //PACKAGE:NAME, as a list of the target origin means it.
func fullLabel(text, origin string) string {
	text = strings.TrimPrefix(text, "@@")
	if strings.HasPrefix(text, "@//") {
		text = text[1:]
	}
	repository, path, absolute := strings.Cut(text, "//")
	if !absolute {
		folder, _, _ := strings.Cut(origin, ":")
		return folder + ":" + strings.TrimPrefix(text, ":")
	}
	if repository != "" {
		repository = "@@" + repository
	}
	if !strings.Contains(path, ":") {
		path += ":" + path[strings.LastIndexByte(path, '/')+1:]
	}
	return repository + "//" + path
}

// arity is how many arguments each directive has at least.
var arity = map[string]int{
	"archive": 2, "data": 2, "exclude": 1, "hardlink": 2, "list": 1, "metadata": 2, "origin": 1, "replaces": 1, "var": 2,
}

func (r *reader) direct(d *list.Directive) {
	want, known := arity[d.Word]
	switch {
	case !known:
		r.fault(d.Pos, "unknown directive %q", d.Word)
		return
	case len(d.Args) < want:
		r.fault(d.Pos, "directive %q has %d arguments and wants %d", d.Word, len(d.Args), want)
		return
	case d.Word != "origin" && r.target.label == "":
		r.fault(d.Pos, "%s before any origin", d.Word)
		return
	}
	switch d.Word {
	case "archive":
		r.archive(d)
	case "data":
		r.declare(d)
	case "exclude":
		r.exclude(d)
	case "hardlink":
		r.hardlink(d)
	case "list":
		r.readDeclared(d.Args[0])
	case "metadata":
		r.override(d)
	case "origin":
		r.origin(d)
	case "replaces":
		r.replaces(d)
	case "var":
		r.target.vars[d.Args[0]] = d.Args[1]
	}
}

func (r *reader) origin(d *list.Directive) {
	r.endTarget()
	r.target = target{label: d.Args[0], vars: map[string]string{}}
}

// endTarget checks that all that the target declared was of use.
func (r *reader) endTarget() {
	for _, l := range r.target.locations {
		if !l.used {
			r.fault(list.Pos{Origin: r.target.label}, "data: no list names the location %q", l.key)
		}
	}
	for _, glob := range r.target.excludes.unused() {
		r.fault(r.at(), "archive_excludes: %s stands for nothing in the archives: take it out, or write the path in the image, prefix included", glob)
	}
	r.target = target{}
}

func (r *reader) declare(d *list.Directive) {
	l := &location{key: d.Args[0], path: d.Args[1]}
	if len(d.Args) > 2 {
		l.label = d.Args[2]
	}
	for _, other := range r.target.locations {
		if other.key == l.key {
			r.fault(d.Pos, "data: the location %q is declared twice", l.key)
			return
		}
	}
	r.target.locations = append(r.target.locations, l)
}

// readDeclared reads a list of the current target, whose locations are those that
// the target declares.
func (r *reader) readDeclared(name string) {
	opts := list.Options{Name: name, Origin: r.target.label, Vars: r.target.vars, Locations: true}
	r.read(nil, opts, func(e *list.Entry) {
		if e.Kind == list.File {
			l := r.target.find(e.Location)
			if l == nil {
				r.fault(e.Pos, "undeclared location %q: add it to data; %s", e.Location, r.target.declared())
				return
			}
			l.used = true
			e.Location = l.path
		}
		r.entries = append(r.entries, e)
	})
}

// at is the place of a directive, for messages: the label says it all, as a line of
// a generated file tells nobody anything.
func (r *reader) at() list.Pos { return list.Pos{Origin: r.target.label} }

func (r *reader) override(d *list.Directive) {
	o, err := parseOverride(r.at(), d.Args)
	if err != nil {
		r.fault(r.at(), "metadata of %s: %w", d.Args[0], err)
		return
	}
	r.metadata = append(r.metadata, o)
}

func (r *reader) hardlink(d *list.Directive) {
	r.hardlinks = append(r.hardlinks, link{r.at(), strings.TrimPrefix(d.Args[0], "/"), list.CleanPath(d.Args[1])})
}

func (r *reader) replaces(d *list.Directive) {
	r.replacing = append(r.replacing, replacement{r.at(), list.CleanPath(d.Args[0])})
}

// archive takes what is in an archive, below a prefix and less what the target
// excludes.
func (r *reader) archive(d *list.Directive) {
	name, prefix := d.Args[0], d.Args[1]
	if r.readArchive == nil {
		r.fault(d.Pos, "archives cannot be read here")
		return
	}
	entries, err := r.readArchive(name)
	if err != nil {
		r.fault(r.at(), "archives: %w", err)
		return
	}
	for _, e := range entries {
		if e.Name == "" && prefix != "/" {
			continue // the archive's own root is the prefix
		}
		e.Pos = r.at()
		e.Name = below(prefix, e.Name)
		for i := range e.Links {
			e.Links[i] = below(prefix, e.Links[i])
		}
		if r.target.excludes.keep(e) {
			r.entries = append(r.entries, e)
		}
	}
}

func (r *reader) exclude(d *list.Directive) {
	if err := r.target.excludes.add(d.Args[0]); err != nil {
		r.fault(r.at(), "archive_excludes: %w", err)
	}
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
