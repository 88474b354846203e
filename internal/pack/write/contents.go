package write

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// contents is a directory of files with what archives hold, so that a list can name them.
type contents struct {
	dir string
	// made are the files in it, and it, where these were made here.
	made []string
}

// createContents makes a directory, or checks that it exists and is empty.
func createContents(dir string) (contents, error) {
	err := os.Mkdir(dir, 0o777)
	if err == nil {
		return contents{dir, []string{dir}}, nil
	}
	if errors.Is(err, fs.ErrExist) {
		var files []fs.DirEntry
		if files, err = os.ReadDir(dir); err == nil && len(files) > 0 {
			err = fmt.Errorf("%s is not empty", dir)
		}
	}
	return contents{dir: dir}, outputError(err)
}

// write writes the content of each entry that has no location, and returns the entries
// with locations for all.
func (c *contents) write(ctx context.Context, entries []*list.Entry) ([]*list.Entry, error) {
	located := slices.Clone(entries)
	number := 0
	for i, e := range entries {
		if e.Content == nil {
			continue
		}
		number++
		at := *e
		at.Content, at.Location = nil, c.dir+"/"+strconv.Itoa(number)
		file, err := os.OpenFile(at.Location, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return nil, outputError(err)
		}
		c.made = append(c.made, at.Location)
		_, err = io.Copy(contextWriter{ctx, file}, io.NewSectionReader(e.Content, 0, e.Content.Size()))
		if closeErr := file.Close(); err == nil {
			err = outputError(closeErr)
		}
		if err != nil {
			return nil, err
		}
		located[i] = &at
	}
	return located, nil
}

// discard removes what was made.
func (c *contents) discard() {
	for _, name := range slices.Backward(c.made) {
		os.Remove(name)
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
