// Package write writes archives, the lists of what they have, and images of several
// parts. An output has its name only once it is whole.
package write

import (
	"context"
	"errors"
	"io"
	"io/fs"

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
	// begin, and the completed list says what joining needs.
	Layer bool
	// ListOut is the name of the completed list to write, or empty. ContentsOut is the
	// name of a directory, new or empty, for what is in archives: the list names the
	// files there. It may be empty if there are no archives or no list.
	ListOut     string
	ContentsOut string
	// DepsOut is the name of a makefile to write, or empty: it says that Deps are
	// what the archive depends on, as Deps has it.
	DepsOut string
	Deps    []string
	// Method is how the archive is compressed.
	Method codec.Compression
	// SegmentSize is how many bytes of the archive make a segment, which is
	// compressed by itself; 0 makes the whole archive one, and less leaves it to the
	// method.
	SegmentSize int64
	// Jobs is how many segments are compressed at once, 1 at least. The bytes do not
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
	if opts.ListOut != "" && opts.ContentsOut == "" {
		if err := checkListable(entries); err != nil {
			return err
		}
	}
	frame, err := openFrame(ctx, &opts)
	if err != nil {
		return err
	}
	defer frame.close()
	committed := false
	var files *contents
	if opts.ContentsOut != "" {
		if files, err = createContents(opts.ContentsOut); err != nil {
			return err
		}
		defer func() { files.discard(committed) }()
	}
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	err = outputs.write(opts.Out, opts.Perm, func(w io.Writer) error {
		return frame.write(ctx, w, func(w *image.Joiner) error {
			last, err := opts.writeArchive(ctx, w, entries)
			if err != nil || !opts.Layer {
				return err
			}
			return w.EndPart(last, true)
		})
	})
	if err == nil && files != nil {
		entries, err = files.write(ctx, entries)
	}
	if err == nil && opts.ListOut != "" {
		err = outputs.write(opts.ListOut, 0, func(w io.Writer) error { return List(w, entries, opts.Layer) })
	}
	if err == nil && opts.DepsOut != "" {
		err = outputs.write(opts.DepsOut, 0, func(w io.Writer) error { return Deps(w, opts.Deps) })
	}
	if err != nil {
		return err
	}
	if err := outputs.commit(); err != nil {
		return err
	}
	committed = true
	return nil
}

// writeArchive writes the entries as an archive, compressed. It returns the codec of the
// last member, which is empty if that is not compressed.
func (o *Options) writeArchive(ctx context.Context, w io.Writer, entries []*list.Entry) (last string, err error) {
	if !o.Method.Compresses() {
		return "", Archive(w, entries, o.ArchiveOptions)
	}
	size := o.SegmentSize
	if size < 0 {
		size = o.Method.MemberSize()
	}
	z := segments{codec.NewMemberWriter(ctx, w, o.Method, size, o.Jobs)}
	err = Archive(z, entries, o.ArchiveOptions)
	// Closed on an error too: a codec has goroutines to end.
	if closeErr := z.Close(); err == nil {
		err = closeErr
	}
	return z.LastCodec(), err
}

// segments is a MemberWriter whose errors are those of an output: no line of a
// list is to blame.
type segments struct{ *codec.MemberWriter }

func (s segments) Write(p []byte) (int, error) {
	n, err := s.MemberWriter.Write(p)
	return n, outputError(err)
}

func (s segments) EndEntry() error { return outputError(s.MemberWriter.EndEntry()) }

func (s segments) Close() error { return outputError(s.MemberWriter.Close()) }

func outputError(err error) error {
	var output *writeError
	if err == nil || errors.As(err, &output) {
		return err
	}
	return &writeError{err}
}
