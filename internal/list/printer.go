package list

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// String returns the entry's line without a newline, in one spelling: names with
// a leading slash, modes with a leading zero, fields with one blank between.
func (e *Entry) String() string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	for _, field := range e.Kind.Fields() {
		switch field {
		case kind.Name:
			b.WriteString(" " + Escape("/"+e.Name))
		case kind.Location:
			b.WriteString(" " + escapeLocation(e.Location))
		case kind.Target:
			b.WriteString(" " + Escape(e.Target))
		case kind.Owner:
			fmt.Fprintf(&b, " %04o %d %d", e.Perm, e.UID, e.GID)
		case kind.Device:
			fmt.Fprintf(&b, " %c %d %d", kind.TypeOf(e.Mode()).Letter, e.Major, e.Minor)
		case kind.Links:
			for _, link := range e.Links {
				b.WriteString(" " + Escape("/"+link))
			}
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
// says where these begin and the sizes of files, from which an image is listed, and their
// digests, which say whether files of two layers are equal.
func Write(w io.Writer, entries []*Entry, members []Member) error {
	out := bufio.NewWriterSize(w, 64<<10)
	layer := members != nil
	origin, attribute, producer := "", "", ""
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
			origin, attribute, producer = e.Pos.Origin, "", ""
			fmt.Fprintln(out, strings.TrimSpace("#: origin "+Escape(origin)))
		}
		begin(i)
		if e.Kind == File && e.Producer != producer {
			producer = e.Producer
			fmt.Fprintln(out, strings.TrimSpace("#: producer "+Escape(producer)))
		}
		if e.MTime != nil {
			fmt.Fprintf(out, "#: mtime %d\n", *e.MTime)
		}
		if e.Added {
			fmt.Fprintln(out, "#: added")
		}
		if e.Reason != "" {
			out.WriteString("#: reason")
			for word := range strings.SplitSeq(e.Reason, " ") {
				out.WriteString(" " + Escape(word))
			}
			out.WriteString("\n")
		}
		if layer && e.Kind == File && e.Size > 0 {
			fmt.Fprintf(out, "#: size %d\n", e.Size)
		}
		if layer && e.Digest != "" {
			fmt.Fprintln(out, "#: sha256", e.Digest)
		}
		if e.Attribute != attribute && len(e.Replaces)+len(e.Replaced) > 0 {
			attribute = e.Attribute
			fmt.Fprintln(out, strings.TrimSpace("#: attribute "+Escape(attribute)))
		}
		for _, path := range e.Replaces {
			fmt.Fprintf(out, "#: replaces %s\n", Escape(path))
		}
		for _, path := range e.Replaced {
			fmt.Fprintf(out, "#: replaced %s\n", Escape(path))
		}
		fmt.Fprintln(out, e)
	}
	begin(len(entries))
	return out.Flush()
}
