package pack

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/list"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/newc"
)

// What usr/gen_init_cpio writes, so that the bytes are the same.
const (
	firstIno    = 721
	deviceMajor = 3
	deviceMinor = 1
)

// WriteArchive writes the entries as an archive with its trailer. Every entry
// has the time mtime, in seconds since 1970.
func WriteArchive(w io.Writer, entries []*list.Entry, mtime uint32) error {
	a := &archiver{
		out:   newc.NewWriter(w),
		mtime: mtime,
		ino:   firstIno,
		buf:   make([]byte, 256<<10),
	}
	for _, e := range entries {
		if err := a.add(e); err != nil {
			var output *writeError
			if errors.As(err, &output) {
				return output // no line of a list is to blame
			}
			return &list.Error{Pos: e.Pos, Err: err}
		}
	}
	return a.out.Close()
}

type archiver struct {
	out   *newc.Writer
	mtime uint32
	ino   uint32
	buf   []byte
}

// add writes the records of an entry: one, or one a name for a File.
func (a *archiver) add(e *list.Entry) error {
	h := newc.Header{
		Name:  e.Name,
		Ino:   a.ino,
		Mode:  e.Mode(),
		UID:   e.UID,
		GID:   e.GID,
		NLink: 1,
		MTime: a.mtime,
		Major: deviceMajor,
		Minor: deviceMinor,
	}
	a.ino++
	switch e.Kind {
	case list.File:
		return a.addFile(h, e)
	case list.Symlink:
		body := e.Target + "\x00" // unlike other writers, the kernel's counts the NUL
		h.Size = int64(len(body))
		if err := a.out.WriteHeader(&h); err != nil {
			return err
		}
		_, err := io.WriteString(a.out, body)
		return err
	case list.Node:
		h.RMajor, h.RMinor = e.Major, e.Minor
	case list.Dir, list.Pipe, list.Sock:
		h.NLink = 2
	}
	return a.out.WriteHeader(&h)
}

// addFile writes a record for each name; the last one has the content.
func (a *archiver) addFile(h newc.Header, e *list.Entry) error {
	content, size, err := open(e.Location)
	if err != nil {
		return err
	}
	defer content.Close()

	names := e.Names()
	h.NLink = uint32(len(names))
	for i, name := range names {
		h.Name = name
		if i == len(names)-1 {
			h.Size = size
		}
		if err := a.out.WriteHeader(&h); err != nil {
			return err
		}
	}
	n, err := io.CopyBuffer(a.out, io.LimitReader(content, size), a.buf)
	if err != nil {
		return err
	}
	if n < size {
		return fmt.Errorf("%s shrank while it was read: %d of %d bytes", e.Location, n, size)
	}
	switch n, err := content.Read(a.buf[:1]); {
	case n > 0:
		return fmt.Errorf("%s grew while it was read: it had %d bytes", e.Location, size)
	case err != nil && err != io.EOF:
		return err
	}
	return nil
}

// open opens the file at a location and gives its size. os.DevNull is an empty
// file; other things than files are refused before they are opened, for opening a
// FIFO waits.
func open(location string) (*os.File, int64, error) {
	info, err := os.Stat(location)
	if err != nil {
		return nil, 0, locationError(location, err)
	}
	switch {
	case location == os.DevNull:
	case info.IsDir():
		return nil, 0, fmt.Errorf("%s is a directory: a file line wants a file", location)
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("%s is not a regular file", location)
	}
	file, err := os.Open(location)
	if err != nil {
		return nil, 0, locationError(location, err)
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return nil, 0, err
	}
	if info.Size() > newc.MaxSize {
		file.Close()
		return nil, 0, fmt.Errorf("%s has %d bytes: an archive holds files of at most %d", location, info.Size(), int64(newc.MaxSize))
	}
	return file, info.Size(), nil
}

// locationError names the location once: os.PathError would say it again.
func locationError(location string, err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("cannot read %s: %w", location, err)
}
