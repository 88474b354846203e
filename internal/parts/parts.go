// Package parts joins the files of an initramfs image as a boot loader does that takes several.
package parts

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// Parts are files one after the other, with zeros before each that would not be aligned.
type Parts struct {
	names []string
	size  int64
}

// Open returns the parts with these names. The files are read when the parts are written.
func Open(names []string) (*Parts, error) {
	p := &Parts{names: names}
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s: not a regular file", name)
		}
		p.size += -p.size&(image.Align-1) + info.Size()
	}
	if len(names) > 0 && p.size == 0 {
		return nil, fmt.Errorf("%s: it is empty: name a file that has content", names[0])
	}
	return p, nil
}

var errNotRegular = errors.New("not a regular file: copy it to one")

// OpenRegular opens a file that is read at offsets, and returns its size. It does not open a FIFO,
// because the system would wait for a writer, and no signal could end the wait.
func OpenRegular(name string) (*os.File, int64, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, 0, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// Size returns how many bytes WriteTo writes.
func (p *Parts) Size() int64 { return p.size }

// WriteTo writes the parts. It fails if their size changed.
func (p *Parts) WriteTo(w io.Writer) (int64, error) {
	joiner := image.NewJoiner(w)
	for _, name := range p.names {
		if err := joiner.Align(image.Align); err != nil {
			return joiner.Size(), err
		}
		if err := copyFile(joiner, name); err != nil {
			return joiner.Size(), err
		}
	}
	if joiner.Size() != p.size {
		return joiner.Size(), fmt.Errorf("the parts have %d bytes instead of %d: a file changed", joiner.Size(), p.size)
	}
	return joiner.Size(), nil
}

func copyFile(w io.Writer, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}
