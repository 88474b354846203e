// Package write writes archives, the lists of what they have, and images of several
// parts. An output has its name only once it is whole.
package write

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// Options say what to write and how.
type Options struct {
	ArchiveOptions
	// Out is the name of the archive to write.
	Out string
	// Perm is the mode of the archive on disk; 0 is 0644.
	Perm fs.FileMode
	// Layer makes the archive one layer of an image: it ends where the next one can
	// begin, and the completed list has what joining needs.
	Layer bool
	// ListOut is the name of the completed list to write, or empty. ContentsOut is the
	// name of a directory, new or empty, for what is in archives: the list names the
	// files there. It may be empty if there are no archives or no list.
	ListOut     string
	ContentsOut string
	// ViewsOut has the names of the files to write for views of the image, by the name
	// of the view.
	ViewsOut map[string]string
	// DepsOut is the name of a makefile to write, or empty: it says that Deps are
	// what the archive depends on, as Deps has it.
	DepsOut string
	Deps    []string
	// Method is how the archive is compressed.
	Method codec.Compression
	// MemberSize is how many bytes of the archive are compressed together in a member;
	// with 0 there is one member, and a negative size leaves it to the method.
	MemberSize int64
	// Jobs is how many members are compressed at once, at least 1. The bytes do not
	// depend on it.
	Jobs int
	// Prepend are the names of archives to begin the image with, as they are: what the
	// kernel reads before it unpacks, such as microcode.
	Prepend []string
	// Bootconfig is the name of the boot configuration to end the image with, or empty.
	Bootconfig string
}

// Outputs writes the outputs that the options name; the entries are packed as they
// are. On an error, and when ctx ends, no output has its name.
func Outputs(ctx context.Context, entries []*list.Entry, opts Options) error {
	for _, e := range entries {
		if e.Content != nil && opts.ListOut != "" && opts.ContentsOut == "" {
			return fmt.Errorf("a list names files, and %s is an archive: add --write-contents DIR to write its files where the list can name them", e.Pos.File)
		}
	}
	frame, err := openFrame(ctx, &opts)
	if err != nil {
		return err
	}
	defer frame.close()
	opts.Digests = opts.Layer && opts.ListOut != "" || slices.ContainsFunc(views, func(v View) bool { return v.digests && opts.ViewsOut[v.Name] != "" })
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	var files contents
	if opts.ContentsOut != "" {
		if files, err = createContents(opts.ContentsOut); err != nil {
			return err
		}
		defer files.discard()
	}
	archive := Archived{Entries: entries}
	err = outputs.write(opts.Out, opts.Perm, func(w io.Writer) error {
		return frame.write(ctx, w, func(w *image.Joiner) (err error) {
			archive.Members, err = opts.writeArchive(ctx, w, entries)
			if err != nil || !opts.Layer {
				return err
			}
			return w.EndPart(archive.Members[len(archive.Members)-1].Codec, true)
		})
	})
	if err == nil && opts.ContentsOut != "" {
		entries, err = files.write(ctx, entries)
	}
	if err != nil {
		return err
	}
	var members []list.Member
	if opts.Layer {
		members = archive.Members
	}
	if err := outputs.finish(frame, []Archived{archive}, entries, members, &opts); err != nil {
		return err
	}
	files.made = nil
	return nil
}

// finish writes what the options name besides the image, and gives all outputs their names:
// the listings are of the archives, the list is of the entries and, of a layer, its members.
func (s *outputs) finish(f *frame, archives []Archived, entries []*list.Entry, members []list.Member, opts *Options) error {
	for _, view := range views {
		name := opts.ViewsOut[view.Name]
		if name == "" {
			continue
		}
		err := s.write(name, 0, func(w io.Writer) error {
			return writeListing(s.ctx, w, f, archives, opts.MTime, view)
		})
		if err != nil {
			return err
		}
	}
	for _, output := range []struct {
		name    string
		content func(io.Writer) error
	}{
		{opts.ListOut, func(w io.Writer) error { return list.Write(w, entries, members) }},
		{opts.DepsOut, func(w io.Writer) error { return Deps(w, opts.Deps) }},
	} {
		if output.name == "" {
			continue
		}
		if err := s.write(output.name, 0, output.content); err != nil {
			return err
		}
	}
	return s.commit()
}

// writeArchive writes the entries as an archive, compressed, and returns its members.
func (o *Options) writeArchive(ctx context.Context, w io.Writer, entries []*list.Entry) ([]list.Member, error) {
	if !o.Method.Compresses() {
		return []list.Member{{Codec: image.Uncompressed, Entries: len(entries)}}, Archive(w, entries, o.ArchiveOptions)
	}
	size := o.MemberSize
	if size < 0 {
		size = o.Method.MemberSize()
	}
	z := &memberWriter{MemberWriter: codec.NewMemberWriter(ctx, w, o.Method, size, o.Jobs)}
	err := Archive(z, entries, o.ArchiveOptions)
	// Closed on an error too: a codec has goroutines to end.
	if closeErr := z.Close(); err == nil {
		err = outputError(closeErr)
	}
	if err != nil {
		return nil, err
	}
	z.entries = append(z.entries, z.current)
	var members []list.Member
	for i, name := range z.Codecs() {
		members = append(members, list.Member{Codec: cmp.Or(name, image.Uncompressed), Entries: z.entries[i]})
	}
	return members, nil
}

// memberWriter counts the entries of each member. Its errors are those of an output, and
// not of a line of a list.
type memberWriter struct {
	*codec.MemberWriter
	// entries counts those of each member that has ended; current, of the one after these.
	entries []int
	current int
}

func (w *memberWriter) Write(p []byte) (int, error) {
	n, err := w.MemberWriter.Write(p)
	return n, outputError(err)
}

func (w *memberWriter) EndEntry() error {
	w.current++
	ended, err := w.MemberWriter.EndEntry()
	if ended {
		w.entries = append(w.entries, w.current)
		w.current = 0
	}
	return outputError(err)
}

// Deps writes a makefile that sets deps_initramfs to the paths, as
// usr/gen_initramfs.sh -l does, for the kernel's usr/Makefile to include. It escapes
// everything in a path that make would misread; the script escapes only the colon.
func Deps(w io.Writer, paths []string) error {
	if _, err := io.WriteString(w, "deps_initramfs := \\\n"); err != nil {
		return err
	}
	for _, path := range paths {
		if strings.Contains(path, "\n") {
			return fmt.Errorf("%q has a newline in it, which a makefile cannot hold", path)
		}
		if _, err := fmt.Fprintf(w, "%s \\\n", makeEscapes.Replace(path)); err != nil {
			return err
		}
	}
	return nil
}

var makeEscapes = strings.NewReplacer(
	":", `\:`,
	" ", `\ `, "\t", "\\\t",
	"#", `\#`, "$", "$$",
	"*", `\*`, "?", `\?`, "[", `\[`,
)
