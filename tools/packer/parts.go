package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// parts is an image that is read, and may be in several files.
type parts struct {
	name   string // of the first file, with the number of others
	reader *image.Reader
	close  func() error
}

// openParts opens the files of an image: the parts are read as the kernel gets them
// from a boot loader that loads several files, each at a multiple of 4 bytes.
func openParts(ctx context.Context, names []string) (*parts, error) {
	if len(names) == 1 {
		img, err := image.Open(ctx, names[0])
		if err != nil {
			return nil, err
		}
		return &parts{img.Name, img.Reader, img.Close}, nil
	}
	joined := &joinedReader{ctx: ctx}
	for _, name := range names {
		part, err := openPart(ctx, name)
		if err != nil {
			return nil, errors.Join(err, joined.Close())
		}
		// What is empty is not there: a boot configuration is at the end of what is.
		if part.size == 0 {
			part.Close()
			continue
		}
		joined.parts = append(joined.parts, part)
	}
	if n := len(joined.parts); n > 0 {
		joined.parts[n-1].size -= joined.parts[n-1].bootconfig
	}
	reader := image.NewReader(joined)
	return &parts{
		name:   fmt.Sprintf("%s and %d more", names[0], len(names)-1),
		reader: reader,
		close:  func() error { return errors.Join(reader.Close(), joined.Close()) },
	}, nil
}

// part is one file of several.
type part struct {
	*os.File
	size, bootconfig int64
}

func openPart(ctx context.Context, name string) (*part, error) {
	// It knows what the kernel takes for a boot configuration.
	img, err := image.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	img.Close()
	if img.Size < 0 {
		return nil, fmt.Errorf("%s: of an image in several files each has to be a regular file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &part{file, img.Size, img.Bootconfig}, nil
}

// joinedReader reads parts one after the other, with zeros between them that have each
// begin at a multiple of 4.
type joinedReader struct {
	ctx   context.Context
	parts []*part
	read  int // how many parts are
	n     int64
}

func (j *joinedReader) Read(p []byte) (int, error) {
	for {
		if err := j.ctx.Err(); err != nil {
			return 0, err
		}
		if j.read == len(j.parts) {
			return 0, io.EOF
		}
		// All of a part, and the zeros after it, which are not in the file.
		part := j.parts[j.read]
		if left := part.size - j.n; left > 0 {
			n, err := part.File.Read(p[:min(int64(len(p)), left)])
			j.n += int64(n)
			if err == io.EOF {
				err = fmt.Errorf("%s: %w", part.Name(), io.ErrUnexpectedEOF)
			}
			return n, err
		}
		if left := -j.n & 3; left > 0 && j.read < len(j.parts)-1 {
			n := min(int64(len(p)), left)
			clear(p[:n])
			j.n += n
			return int(n), nil
		}
		j.read, j.n = j.read+1, 0
	}
}

// Close closes the files.
func (j *joinedReader) Close() error {
	var err error
	for _, part := range j.parts {
		err = errors.Join(err, part.File.Close())
	}
	return err
}
