package pack

import (
	"bufio"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// WriteList writes the entries as a list, with a comment before those of each
// target. What the kernel's format has no place for is in comments too, which are
// directives to package list: an entry's own time, and in the list of a layer which
// directories were added and what is replaced.
func WriteList(w io.Writer, entries []*list.Entry, layer bool) error {
	out := bufio.NewWriterSize(w, 64<<10)
	origin := ""
	for _, e := range entries {
		if e.Pos.Origin != origin {
			origin = e.Pos.Origin
			fmt.Fprintf(out, "# %s\n", origin)
		}
		if e.MTime != nil {
			fmt.Fprintf(out, "#: mtime %d\n", *e.MTime)
		}
		if layer && e.Added {
			fmt.Fprintln(out, "#: added")
		}
		if layer {
			for _, path := range e.Replaces {
				fmt.Fprintf(out, "#: replaces %s\n", list.Escape(path))
			}
		}
		fmt.Fprintln(out, e)
	}
	return out.Flush()
}

// readCompleted reads a list that WriteList has written.
func readCompleted(name string, in io.Reader) ([]*list.Entry, error) {
	var entries []*list.Entry
	var next list.Entry
	for p := list.NewParser(in, list.Options{Name: name, Directives: true, Origins: true}); ; {
		e, d, err := p.Next()
		switch {
		case err == io.EOF:
			return entries, nil
		case err != nil:
			return nil, err
		case d == nil:
			e.MTime, e.Added, e.Replaces = next.MTime, next.Added, next.Replaces
			e.Pos = list.Pos{Origin: e.Pos.Origin}
			entries = append(entries, e)
			next = list.Entry{}
			continue
		case d.Word == "added":
			next.Added = true
		case d.Word == "replaces" && len(d.Args) == 1:
			next.Replaces = append(next.Replaces, d.Args[0])
		case d.Word == "mtime" && len(d.Args) == 1:
			seconds, err := list.ParseAttribute(d.Word, d.Args[0])
			if err != nil {
				return nil, &list.Error{Pos: d.Pos, Err: err}
			}
			next.MTime = &seconds
		default:
			return nil, &list.Error{Pos: d.Pos, Err: fmt.Errorf("unknown directive %q of a completed list", d.Word)}
		}
	}
}
