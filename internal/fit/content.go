package fit

import (
	"bytes"
	"fmt"
	"io"
)

// bytesContent is content in memory.
type bytesContent []byte

func (c bytesContent) Size() int64 { return int64(len(c)) }

func (c bytesContent) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(c).ReadAt(p, at)
}

func (c bytesContent) WriteTo(w io.Writer) (int64, error) { return bytes.NewReader(c).WriteTo(w) }

// fileContent is a part of an open file.
type fileContent struct {
	file     io.ReaderAt
	at, size int64
}

func (c fileContent) Size() int64 { return c.size }

func (c fileContent) ReadAt(p []byte, at int64) (int, error) {
	return io.NewSectionReader(c.file, c.at, c.size).ReadAt(p, at)
}

func (c fileContent) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(c.file, c.at, c.size))
}

// contents are contents one after the other, each at a multiple of externalAlign.
type contents []interface {
	Size() int64
	io.WriterTo
}

func (c contents) Size() int64 {
	size := int64(0)
	for _, one := range c {
		size += (one.Size() + externalAlign - 1) &^ (externalAlign - 1)
	}
	return size
}

func (c contents) WriteTo(w io.Writer) (int64, error) {
	written := int64(0)
	for _, one := range c {
		n, err := one.WriteTo(w)
		written += n
		if err != nil {
			return written, err
		}
		if n != one.Size() {
			return written, fmt.Errorf("the content of an image has %d bytes instead of %d: it changed", n, one.Size())
		}
		padding, err := w.Write(make([]byte, -n&(externalAlign-1)))
		written += int64(padding)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}
