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

// contents is a directory of files with what archives hold, so that a list can name
// them.
type contents struct {
	dir string
	// made reports that the directory did not exist; files counts those in it.
	made  bool
	files int
}

// createContents makes a directory, or checks that it exists and is empty.
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

// write writes the content of each entry that has no location, and returns the entries
// with locations for all.
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

// discard removes what was written, unless keep is set.
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

// checkListable checks that a list can name each content.
func checkListable(entries []*list.Entry) error {
	for _, e := range entries {
		if e.Content != nil {
			return fmt.Errorf("a list names files, and %s is an archive: add --write-contents DIR to write its files where the list can name them", e.Pos.File)
		}
	}
	return nil
}
