package list

import (
	"bufio"
	"fmt"
	"io"
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

// Member is a run of entries that are compressed together.
type Member struct {
	// Codec is how they are compressed: a name of package codec, or "none".
	Codec string
	// Entries counts them; a member may hold no more than the archive's trailer.
	Entries int
}

// Write writes a completed list: the entries with their origins, their own times, which
// of them were added, and what they replace. The list of a layer has members, and then
// says where these begin and the sizes of files, from which an image is listed.
func Write(w io.Writer, entries []*Entry, members []Member) error {
	out := bufio.NewWriterSize(w, 64<<10)
	layer := members != nil
	origin, attribute := "", ""
	end := 0 // of the entries of the member
	begin := func(i int) {
		for len(members) > 0 && (i == end || i == len(entries)) {
			fmt.Fprintf(out, "#: member %s\n", members[0].Codec)
			end += members[0].Entries
			members = members[1:]
		}
	}
	for i, e := range entries {
		if e.Pos.Origin != origin {
			origin, attribute = e.Pos.Origin, ""
			fmt.Fprintln(out, strings.TrimSpace("#: origin "+Escape(origin)))
		}
		begin(i)
		if e.MTime != nil {
			fmt.Fprintf(out, "#: mtime %d\n", *e.MTime)
		}
		if e.Added {
			fmt.Fprintln(out, "#: added")
		}
		if layer && e.Kind == File && e.Size > 0 {
			fmt.Fprintf(out, "#: size %d\n", e.Size)
		}
		if e.Attribute != attribute && len(e.Replaces) > 0 {
			attribute = e.Attribute
			fmt.Fprintln(out, strings.TrimSpace("#: attribute "+Escape(attribute)))
		}
		for _, path := range e.Replaces {
			fmt.Fprintf(out, "#: replaces %s\n", Escape(path))
		}
		fmt.Fprintln(out, e)
	}
	begin(len(entries))
	return out.Flush()
}
