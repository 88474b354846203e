package write

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// contents is a directory of files that have what archives held, so that a list
// can name them.
type contents struct {
	dir string
	// made tells that the directory was not there; files counts those in it.
	made  bool
	files int
}

// createContents makes a directory, or checks that it is there and empty.
func createContents(dir string) (*contents, error) {
	switch err := os.Mkdir(dir, 0o777); {
	case err == nil:
		return &contents{dir: dir, made: true}, nil
	case !errors.Is(err, fs.ErrExist):
		return nil, &writeError{err}
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, &writeError{err}
	}
	defer d.Close()
	switch _, err := d.Readdirnames(1); err {
	case io.EOF:
		return &contents{dir: dir}, nil
	case nil:
		return nil, &writeError{fmt.Errorf("%s is not empty", dir)}
	default:
		return nil, &writeError{err}
	}
}

func (c *contents) path(number int) string { return c.dir + "/" + strconv.Itoa(number) }

// write writes the content of each entry that has no location, and returns the
// entries with one for each.
func (c *contents) write(ctx context.Context, entries []*list.Entry) ([]*list.Entry, error) {
	located := make([]*list.Entry, len(entries))
	for i, e := range entries {
		if located[i] = e; e.Content == nil {
			continue
		}
		at := *e
		at.Content, at.Location = nil, c.path(c.files+1)
		file, err := os.OpenFile(at.Location, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return nil, &writeError{err}
		}
		c.files++
		_, err = io.Copy(contextWriter{ctx, file}, io.NewSectionReader(e.Content, 0, e.Content.Size()))
		if closeErr := file.Close(); err == nil && closeErr != nil {
			err = &writeError{closeErr}
		}
		if err != nil {
			return nil, err
		}
		located[i] = &at
	}
	return located, nil
}

// discard removes what was written, unless it is to be kept.
func (c *contents) discard(keep bool) {
	if keep {
		return
	}
	for number := 1; number <= c.files; number++ {
		os.Remove(c.path(number))
	}
	if c.made {
		os.Remove(c.dir)
	}
}

// checkListable checks that a list can say where each content is.
func checkListable(entries []*list.Entry) error {
	for _, e := range entries {
		if e.Content != nil {
			return fmt.Errorf("a list names files, and %s is an archive: add --write-contents DIR, where its files are written for the list to name", e.Pos.File)
		}
	}
	return nil
}
