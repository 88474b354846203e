package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
)

// Image is an image in files that is being read.
type Image struct {
	*Reader
	// Name is the name of the first file, and how many more there are.
	Name string
	// Size counts the image's bytes, with the boot configuration; -1 for a pipe and for
	// standard input.
	Size int64
	// Bootconfig counts the bytes of the boot configuration at the end.
	Bootconfig int64

	parts []*part
	// source is what the parts are sections of; nil if each is a file.
	source io.Closer
}

// part is a file of an image, or a section of a file, which then has no file. size counts the
// bytes to read: -1 is all of a pipe or of standard input.
type part struct {
	file             *os.File
	name             string
	content          io.ReaderAt
	size, bootconfig int64
}

// Open opens the image in the named files. A kernel gets several from a boot loader that
// loads each at a multiple of 4 bytes. A single name may be a pipe, or "-" for standard
// input. Reading fails once ctx has ended.
//
// The kernel cuts a boot configuration off before it unpacks, and so does Open, except
// from a pipe and from standard input, whose end it cannot see.
func Open(ctx context.Context, names ...string) (*Image, error) {
	i := &Image{Name: names[0]}
	if len(names) > 1 {
		i.Name = fmt.Sprintf("%s and %d more", names[0], len(names)-1)
	}
	for _, name := range names {
		p, err := openPart(ctx, name)
		if err == nil {
			i.parts = append(i.parts, p)
			if p.size < 0 && len(names) > 1 {
				err = fmt.Errorf("%s: each file of an image in several files must be a regular file", name)
			}
		}
		if err != nil {
			return nil, errors.Join(err, i.closeParts())
		}
	}
	i.Reader = NewReader(interrupt.Reader(ctx, i.content()))
	return i, nil
}

// OpenSections is Open for an image whose parts are sections of the named file, as those of a
// unified kernel image. Close closes source.
func OpenSections(ctx context.Context, name string, source io.Closer, sections ...*io.SectionReader) (*Image, error) {
	i := &Image{Name: name, source: source}
	for _, section := range sections {
		p := &part{nil, name, section, section.Size(), 0}
		if err := p.findBootconfig(); err != nil {
			return nil, err
		}
		i.parts = append(i.parts, p)
	}
	i.Reader = NewReader(interrupt.Reader(ctx, i.content()))
	return i, nil
}

// content returns what the parts have, and sets the sizes.
func (i *Image) content() io.Reader {
	last := len(i.parts) - 1
	for last > 0 && i.parts[last].size == 0 {
		last-- // the kernel does not see an empty file
	}
	if i.parts[last].size < 0 {
		i.Size = -1
		return i.parts[last].file
	}
	var all []io.Reader
	for n, p := range i.parts[:last+1] {
		padding := -i.Size & (Align - 1)
		i.Size += padding + p.size
		if n == last {
			i.Bootconfig = p.bootconfig
			p.size -= p.bootconfig
		}
		all = append(all, io.LimitReader(zeros{}, padding), &partReader{io.NewSectionReader(p.content, 0, p.size), p})
	}
	return io.MultiReader(all...)
}

func openPart(ctx context.Context, name string) (*part, error) {
	if name == "-" {
		return &part{os.Stdin, name, nil, -1, 0}, nil
	}
	file, err := interrupt.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	p := &part{file, name, file, -1, 0}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		p.size = info.Size()
		if err := p.findBootconfig(); err != nil {
			file.Close()
			return nil, err
		}
	}
	return p, nil
}

// findBootconfig finds the boot configuration. The kernel takes a damaged one for a part of the
// image.
func (p *part) findBootconfig() (err error) {
	if _, p.bootconfig, err = FindBootconfig(p.content, p.size); err == ErrBootconfig {
		return nil
	}
	return err
}

// First returns the first n bytes of an image in one regular file. Reading them does not
// move the Reader.
func (i *Image) First(n int64) io.Reader { return io.NewSectionReader(i.parts[0].content, 0, n) }

// BootconfigData returns the data of the boot configuration of an image in one regular
// file; nil if there is none. It returns ErrBootconfig for a damaged one.
func (i *Image) BootconfigData() ([]byte, error) {
	data, _, err := FindBootconfig(i.parts[0].content, i.Size)
	return data, err
}

// Close closes the files too.
func (i *Image) Close() error {
	i.Reader.Close()
	return i.closeParts()
}

func (i *Image) closeParts() error {
	if i.source != nil {
		return i.source.Close()
	}
	var err error
	for _, p := range i.parts {
		err = errors.Join(err, p.file.Close())
	}
	return err
}

// partReader reads a part. If the file is shorter than it was, that is an error.
type partReader struct {
	section *io.SectionReader
	part    *part
}

func (r *partReader) Read(p []byte) (int, error) {
	n, err := r.section.Read(p)
	if at, _ := r.section.Seek(0, io.SeekCurrent); err == io.EOF && at < r.part.size {
		err = fmt.Errorf("%s: %w", r.part.name, io.ErrUnexpectedEOF)
	}
	return n, err
}
