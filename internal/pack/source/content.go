package source

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// LocationError is a location whose content cannot be packed.
type LocationError struct {
	Location string
	Reason   Reason
	// Err says what is wrong, and names the location.
	Err error
}

func (e *LocationError) Error() string { return e.Err.Error() }

func (e *LocationError) Unwrap() error { return e.Err }

// Reason is why the content of a location cannot be packed.
type Reason uint8

const (
	Unopened Reason = iota + 1 // it does not exist, cannot be opened, or is not a file
	TooLarge                   // the file is larger than a record of an archive can be
	Unread                     // reading failed, or the file changed while it was read
)

// Content is the content of a File, open for reading.
type Content struct {
	// Name is what errors call it.
	Name   string
	Reader io.ReadSeeker
	Size   int64
	// MTime is in seconds since 1970; 0 for a part of an archive.
	MTime int64
	// File is the file at the location Name; nil for a part of an archive.
	File *os.File
}

// OpenContent opens the content of a File.
func OpenContent(e *list.Entry) (*Content, error) {
	if e.Content != nil {
		// A reader of its own: an entry may be read more than once.
		reader := io.NewSectionReader(e.Content, 0, e.Content.Size())
		if reader.Size() > cpio.MaxSize {
			return nil, fmt.Errorf("/%s has %d bytes: an archive holds files of at most %d", e.Name, reader.Size(), int64(cpio.MaxSize))
		}
		return &Content{Name: "/" + e.Name, Reader: reader, Size: reader.Size()}, nil
	}
	return OpenLocation(e.Location)
}

// OpenLocation opens the file at a location. os.DevNull is an empty file. Anything else that is not a
// file is refused before it is opened, because opening a FIFO waits.
func OpenLocation(location string) (*Content, error) {
	fail := func(reason Reason, err error) (*Content, error) {
		return nil, &LocationError{location, reason, err}
	}
	info, err := os.Stat(location)
	if err != nil {
		return fail(Unopened, Unreadable(location, err))
	}
	switch {
	case location == os.DevNull:
	case info.IsDir():
		return fail(Unopened, fmt.Errorf("%s is a directory: a file line needs a file", location))
	case !info.Mode().IsRegular():
		return fail(Unopened, fmt.Errorf("%s is not a regular file", location))
	}
	file, err := os.Open(location)
	if err != nil {
		return fail(Unopened, Unreadable(location, err))
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return fail(Unopened, Unreadable(location, err))
	}
	if info.Size() > cpio.MaxSize {
		file.Close()
		return fail(TooLarge, fmt.Errorf("%s has %d bytes: an archive holds files of at most %d", location, info.Size(), int64(cpio.MaxSize)))
	}
	return &Content{Name: location, Reader: file, Size: info.Size(), MTime: info.ModTime().Unix(), File: file}, nil
}

func (c *Content) Close() error {
	if c.File == nil {
		return nil
	}
	return c.File.Close()
}

// ReadError returns the error for a failure to read the content.
func (c *Content) ReadError(err error) error {
	if c.File == nil {
		return err
	}
	return &LocationError{c.Name, Unread, err}
}

// Unreadable returns the error for a location that cannot be read, and names it once: an
// os.PathError has the name again.
func Unreadable(location string, err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("cannot read %s: %w", location, err)
}
