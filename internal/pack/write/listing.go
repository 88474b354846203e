package write

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// Archived is what has been written as an archive.
type Archived struct {
	Entries []*list.Entry
	Members []list.Member
}

// View is a file about an image that can be written with it. The packer has an option --write-NAME
// for it; the rules have an output group and a field of InitramfsInfo.
type View struct {
	Name string
	// Command is the command of the packer, with its options, that prints the same of the image, except
	// for the targets that entries come from. It is empty if only what makes the image knows what the file has.
	Command string
	// lines says what a line of the file is.
	lines string
	// show writes what the file has of a record. from is the entry that it was made from; nil if it
	// is in an archive that the image begins with. digest is that of its content, if digests is set.
	show    func(w io.Writer, e *image.Entry, from *list.Entry, digest string) error
	digests bool
}

// Doc says what the file has.
func (v View) Doc() string {
	if v.Command == "" {
		return v.lines
	}
	return "the output of packer " + v.Command + " for the image: " + v.lines
}

var views = []View{
	{"json", "ls --json", "one JSON object per entry, with the SHA-256 of a file, the target that placed it and the one that made it",
		func(w io.Writer, e *image.Entry, from *list.Entry, digest string) error {
			if from == nil {
				return listing.JSON(w, e, digest, "", "")
			}
			return listing.JSON(w, e, digest, from.Pos.Origin, from.Producer)
		}, true},
	{"libraries", "", "what programs need of the sources of libraries: one line per file, with what needs it", showReason, false},
	{"listing", "ls", "one line per entry",
		func(w io.Writer, e *image.Entry, _ *list.Entry, _ string) error { return listing.Text(w, e) }, false},
}

// showReason writes why an entry was taken from a source of libraries.
func showReason(w io.Writer, e *image.Entry, from *list.Entry, _ string) error {
	if from == nil || from.Reason == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", printable.Text(list.CleanPath(e.Name)), printable.Text(from.Reason))
	return err
}

// Views returns all views.
func Views() []View { return slices.Clone(views) }

// writeListing writes what is in an image of these archives, as packer ls prints it,
// without unpacking it.
func writeListing(ctx context.Context, w io.Writer, f *frame, archives []Archived, mtime uint32, view View) error {
	l := &lister{out: w, mtime: mtime, view: view}
	for _, img := range f.early {
		if err := l.early(ctx, img); err != nil {
			return err
		}
	}
	for _, archive := range archives {
		if err := l.archive(archive); err != nil {
			return err
		}
	}
	return nil
}

// lister shows the records of an image in turn.
type lister struct {
	out   io.Writer
	mtime uint32
	view  View
	// members counts those so far; codec is that of the last one.
	members int
	codec   string
}

// begin begins a member, the first of its archive or another one. For the kernel, archives
// in a row that are not compressed are one member, and so are the frames of lz4 in a row,
// which end where four zeros are: at the end of an archive.
func (l *lister) begin(codec string, first bool) {
	joins := codec == image.Uncompressed || codec == "lz4" && !first
	if !joins || codec != l.codec {
		l.members++
	}
	l.codec = codec
}

func (l *lister) early(ctx context.Context, img *image.Image) error {
	l.begin(image.Uncompressed, true)
	r := readAll(ctx, img)
	defer r.Close()
	for {
		e, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e.Member = l.members - 1
		digest := ""
		if l.view.digests {
			if digest, err = listing.Digest(e, r); err != nil {
				return err
			}
		}
		if err := l.view.show(l.out, e, nil, digest); err != nil {
			return err
		}
	}
}

func (l *lister) archive(a Archived) error {
	ino := uint32(list.FirstIno)
	var records []cpio.Header
	entries := a.Entries
	for i, member := range a.Members {
		l.begin(member.Codec, i == 0)
		for _, e := range entries[:member.Entries] {
			records = e.AppendRecords(records[:0], ino, l.mtime)
			ino++
			for _, h := range records {
				shown, digest := &image.Entry{Header: h, Target: e.Target, Member: l.members - 1}, ""
				if listing.HasDigest(shown) {
					digest = e.Digest
				}
				if err := l.view.show(l.out, shown, e, digest); err != nil {
					return err
				}
			}
		}
		entries = entries[member.Entries:]
	}
	return nil
}
