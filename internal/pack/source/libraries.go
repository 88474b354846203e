package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// Libraries say from what the programs of an origin get what they need at run time.
type Libraries struct {
	// Directive names the setting. The programs are those of its origin.
	*list.Directive
	// All makes it about the programs of all origins.
	All bool
	LibraryOptions
	Sources []*LibrarySource
}

// LibrarySource has entries that an image gets only if a program needs them.
type LibrarySource struct {
	// Label is what the user calls it.
	Label   string
	Entries []*list.Entry
	Changes Changes
}

// LibraryOptions say what programs need besides what they are linked with.
type LibraryOptions struct {
	// Dlopen is the least priority of the notes of dlopen that count: required, recommended or
	// suggested; none if it is empty.
	Dlopen string
	// Features are those whose notes count in any case; with "-" in front, in no case.
	Features []string
	// Extras are names of LibraryExtras.
	Extras []string
}

// Values of LibraryOptions.
const (
	DlopenNone        = "none"
	DlopenRequired    = "required"
	DlopenRecommended = "recommended"
	DlopenSuggested   = "suggested"

	ExtraGconv = "gconv"
	ExtraGCC   = "libgcc_s"
	ExtraNSS   = "nss"
)

// DlopenPriorities and LibraryExtras are all values of LibraryOptions.
var (
	DlopenPriorities = []string{DlopenNone, DlopenRequired, DlopenRecommended, DlopenSuggested}
	LibraryExtras    = []string{ExtraGconv, ExtraGCC, ExtraNSS}
)

// Check returns an error if a value is unknown.
func (o *LibraryOptions) Check() error {
	if !slices.Contains(DlopenPriorities, o.Dlopen) {
		return fmt.Errorf("priority of dlopen %q: want one of %s", o.Dlopen, strings.Join(DlopenPriorities, ", "))
	}
	for _, extra := range o.Extras {
		if !slices.Contains(LibraryExtras, extra) {
			return fmt.Errorf("extra library %q: want one of %s", extra, strings.Join(LibraryExtras, ", "))
		}
	}
	return nil
}

// openLibraries are those whose sources are being read, and what was read before them.
type openLibraries struct {
	*Libraries
	entries []*list.Entry
	changes Changes
}

// beginLibraries begins the sources of an origin: arguments are FIELD=VALUE.
func (r *reader) beginLibraries(d *list.Directive) error {
	if r.open.Libraries != nil {
		return d.Errorf("a source of libraries has libraries of its own")
	}
	l := &Libraries{Directive: d, LibraryOptions: LibraryOptions{Dlopen: DlopenRecommended}}
	for _, field := range d.Args {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "dlopen":
			l.Dlopen = value
		case "feature":
			l.Features = append(l.Features, value)
		case "extra":
			l.Extras = append(l.Extras, value)
		default:
			return d.Errorf("unknown field %q: want dlopen, feature or extra", name)
		}
	}
	if err := l.Check(); err != nil {
		return d.Errorf("%w", err)
	}
	r.open = openLibraries{l, r.Entries, r.Changes}
	r.Entries, r.Changes = nil, Changes{}
	return nil
}

// beginLibrary begins a source.
func (r *reader) beginLibrary(d *list.Directive) error {
	if r.open.Libraries == nil {
		return d.Errorf("the source is outside of libraries")
	}
	r.endLibrary()
	r.open.Sources = append(r.open.Sources, &LibrarySource{Label: d.Args[0]})
	return nil
}

// endLibrary gives what was read to the source that has begun.
func (r *reader) endLibrary() {
	if n := len(r.open.Sources); n > 0 {
		s := r.open.Sources[n-1]
		s.Entries, s.Changes = r.Entries, r.Changes
	}
	r.Entries, r.Changes = nil, Changes{}
}

func (r *reader) endLibraries(d *list.Directive) error {
	if r.open.Libraries == nil {
		return d.Errorf("no libraries have begun")
	}
	r.endLibrary()
	r.Entries, r.Changes, r.Libraries = r.open.entries, r.open.changes, append(r.Libraries, r.open.Libraries)
	r.open = openLibraries{}
	return nil
}

// AddLibraries reads sources from which all programs get what they need: directories and archives.
func (s *Sources) AddLibraries(ctx context.Context, names []string, opts LibraryOptions, owner *Owner) error {
	l := &Libraries{Directive: &list.Directive{Word: "--libraries"}, All: true, LibraryOptions: opts}
	for _, name := range names {
		var entries []*list.Entry
		var err error
		if isDir(name) {
			if entries, _, err = ReadDirectory(name, Owners{}); owner != nil {
				for _, e := range entries {
					e.UID, e.GID = owner.UID, owner.GID
				}
			}
		} else {
			entries, err = s.readFile(ctx, name, true, func(io.Reader) ([]*list.Entry, error) {
				return nil, errors.New(name + ": not an archive: want a directory, cpio (newc) or tar, compressed or not, or a Debian package")
			})
		}
		if err != nil {
			return fmt.Errorf("--libraries: %w", err)
		}
		l.Sources = append(l.Sources, &LibrarySource{Label: name, Entries: entries})
	}
	s.Libraries = append(s.Libraries, l)
	return nil
}

// allEntries returns all entries, those of the sources of libraries included.
func (s *Sources) allEntries() []*list.Entry {
	all := slices.Clone(s.Entries)
	for _, l := range s.Libraries {
		for _, source := range l.Sources {
			all = append(all, source.Entries...)
		}
	}
	return all
}
