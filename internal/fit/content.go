package fit

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// bytesContent is content in memory.
type bytesContent []byte

func (c bytesContent) Size() int64 { return int64(len(c)) }

func (c bytesContent) WriteTo(w io.Writer) (int64, error) { return bytes.NewReader(c).WriteTo(w) }

// fileContent is a part of an open file.
type fileContent struct {
	file     io.ReaderAt
	at, size int64
}

func (c fileContent) Size() int64 { return c.size }

func (c fileContent) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(c.file, c.at, c.size))
}

// filesContent is files one after the other.
type filesContent struct {
	names []string
	align int64 // what each begins at a multiple of, in bytes
	size  int64
}

// newFilesContent returns the content of files. Zeros come before a file that would not be aligned.
func newFilesContent(names []string, align int64) (*filesContent, error) {
	c := &filesContent{names: names, align: align}
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s: not a regular file", name)
		}
		c.size += -c.size&(align-1) + info.Size()
	}
	return c, nil
}

func (c *filesContent) Size() int64 { return c.size }

func (c *filesContent) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for _, name := range c.names {
		n, err := w.Write(make([]byte, -written&(c.align-1)))
		written += int64(n)
		if err != nil {
			return written, err
		}
		copied, err := copyFile(w, name)
		written += copied
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func copyFile(w io.Writer, name string) (int64, error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return io.Copy(w, file)
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
