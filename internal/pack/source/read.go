// Package source reads lists, directories and archives into entries.
package source

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// Options say how lists are read; each list sets Name, Origin and Locations.
type Options = list.Options

// ReadLists reads the lists with these file names one after the other; "-" is standard
// input. Errors of several lines are reported together.
func ReadLists(names []string, opts Options) ([]*list.Entry, error) {
	r := &reader{opts: opts}
	for _, name := range names {
		r.readTop(name, nil)
	}
	return r.entries, r.errors.Err()
}

// Layer is what the completed list of a layer says.
type Layer struct {
	Entries []*list.Entry
	Changes Changes
	// Members are those of the layer's archive.
	Members []list.Member
}

// ReadLayer reads the completed list of a layer.
func ReadLayer(name string) (*Layer, error) {
	r := &reader{opts: Options{Directives: true}}
	r.readTop(name, nil)
	return &Layer{r.entries, r.changes, r.members}, r.errors.Err()
}

type reader struct {
	opts    Options
	entries []*list.Entry
	changes Changes
	members []list.Member
	errors  list.Errors
	// readArchive reads the archive of that name; nil where there can be none.
	readArchive func(name string) ([]*list.Entry, error)

	// origin has what the directives since the last origin said.
	origin origin
}

// readTop reads a list that the caller named, from in if that is not nil.
func (r *reader) readTop(name string, in io.Reader) {
	opts := r.opts
	opts.Name = name
	r.read(in, opts, r.add)
	r.endOrigin()
}

func (r *reader) add(e *list.Entry) {
	r.entries = append(r.entries, e)
	if n := len(r.members); n > 0 {
		r.members[n-1].Entries++
	}
}

func (r *reader) read(in io.Reader, opts list.Options, take func(*list.Entry)) {
	switch {
	case in != nil:
	case opts.Name == "-":
		in = os.Stdin
	default:
		file, err := os.Open(opts.Name)
		if err != nil {
			r.errors.Add(fmt.Errorf("cannot read the list: %w", err))
			return
		}
		defer file.Close()
		in = file
	}
	for p := list.NewParser(in, opts); ; {
		e, d, err := p.Next()
		var inList *list.Error
		switch {
		case err == io.EOF:
			return
		case errors.As(err, &inList):
			r.errors.Add(err)
		case err != nil:
			r.errors.Add(fmt.Errorf("cannot read the list %s: %w", opts.Name, err))
			return
		case d != nil:
			r.direct(d)
		default:
			take(e)
		}
	}
}
