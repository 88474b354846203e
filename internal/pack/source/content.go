package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
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
	content, err := OpenLocation(e.Location)
	if err == nil && e.OnDisk != (list.FileID{}) {
		info, statErr := content.File.Stat()
		if statErr != nil || fileID(info) != e.OnDisk {
			content.Close()
			return nil, &LocationError{e.Location, Unread, fmt.Errorf("%s was replaced while its directory was packed", e.Location)}
		}
	}
	return content, err
}

// fileID returns which file it is; zero if the system does not say.
func fileID(info fs.FileInfo) list.FileID {
	if stat, ok := info.Sys().(*sysStat); ok {
		return list.FileID{Dev: uint64(stat.Dev), Ino: uint64(stat.Ino)}
	}
	return list.FileID{}
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
		return fail(Unopened, fmt.Errorf("%s is a directory: name the files in it, such as with a glob", location))
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

// unlimited is the size of a content that may have any.
const unlimited = math.MaxInt64 - 1

// spool keeps contents that no file has as they are, one after the other, in a temporary
// file without a name. Blocks of zeros take no space.
type spool struct {
	file *os.File // nil until something is kept
	end  int64
	buf  []byte
}

// spoolError is a failure to keep a content. It is not an error of an archive.
type spoolError struct{ err error }

func (e *spoolError) Error() string {
	return "cannot store the content of an archive: " + e.err.Error()
}

func (e *spoolError) Unwrap() error { return e.err }

// keep copies r to its end, which may be most bytes away.
func (s *spool) keep(r io.Reader, most int64) (*io.SectionReader, error) {
	if s.file == nil {
		file, err := os.CreateTemp("", "packer-*")
		if err != nil {
			return nil, &spoolError{err}
		}
		if err := os.Remove(file.Name()); err != nil {
			file.Close()
			return nil, &spoolError{err}
		}
		s.file, s.buf = file, make([]byte, 256<<10)
	}
	start := s.end
	n, err := io.CopyBuffer(struct{ io.Writer }{s}, io.LimitReader(r, most+1), s.buf)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("its content has more than %d bytes, the limit of an archive", most)
	}
	if err := s.file.Truncate(s.end); err != nil {
		return nil, &spoolError{err}
	}
	return io.NewSectionReader(s.file, start, n), nil
}

// Write appends to what is kept.
func (s *spool) Write(p []byte) (int, error) {
	if len(bytes.TrimLeft(p, "\x00")) > 0 {
		if _, err := s.file.WriteAt(p, s.end); err != nil {
			return 0, &spoolError{err}
		}
	}
	s.end += int64(len(p))
	return len(p), nil
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
