package list

import (
	"fmt"
	"strings"
)

// String returns the entry's line without a newline, in one spelling: names with
// a leading slash, modes with a leading zero, fields with one blank between.
func (e *Entry) String() string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	field := func(text string) {
		b.WriteByte(' ')
		b.WriteString(text)
	}
	field(Escape("/" + e.Name))
	switch e.Kind {
	case File:
		field(escapeLocation(e.Location))
	case Symlink:
		field(Escape(e.Target))
	}
	fmt.Fprintf(&b, " %04o %d %d", e.Perm, e.UID, e.GID)
	switch e.Kind {
	case Node:
		device := "c"
		if e.Block {
			device = "b"
		}
		fmt.Fprintf(&b, " %s %d %d", device, e.Major, e.Minor)
	case File:
		for _, link := range e.Links {
			field(Escape("/" + link))
		}
	}
	return b.String()
}
