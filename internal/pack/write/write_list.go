package write

import (
	"bufio"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// List writes the entries as a list, with a comment before those of each
// target. What the kernel's format has no place for is in comments too, which are
// directives to package list: an entry's own time, and in the list of a layer which
// directories were added and what is replaced.
func List(w io.Writer, entries []*list.Entry, layer bool) error {
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
