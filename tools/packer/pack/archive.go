package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
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

// ArchiveOptions say what is in an archive besides its entries.
type ArchiveOptions struct {
	// MTime is the time of every entry, in seconds since 1970.
	MTime uint32
	// FileTimes gives regular files the times they have on disk instead, cut off
	// at 0 and at 4294967295.
	FileTimes bool
	// Checksum adds a sum over the content of each regular file, which the kernel
	// checks. Files are read twice: the sum comes first.
	Checksum bool
	// Align, a power of two from 4 on, is what the content of regular files larger
	// than it begins at a multiple of, as newc.Writer.Align has it; or 0.
	Align uint32
	// Warn is told what was not done quite as asked: a time that was cut off, a
	// content that could not be aligned. It may be nil.
	Warn func(message string)
}

// WriteArchive writes the entries as an archive with its trailer. If w has a
// method EndEntry, it is called where an entry ends.
func WriteArchive(w io.Writer, entries []*list.Entry, opts ArchiveOptions) error {
	segments, _ := w.(interface{ EndEntry() error })
	a := &archiver{
		ArchiveOptions: opts,
		out:            newc.NewWriter(w),
		ino:            firstIno,
		buf:            make([]byte, 256<<10),
	}
	a.out.Checksums = opts.Checksum
	a.out.Align = opts.Align
	for _, e := range entries {
		if err := a.add(e); err != nil {
			var output *writeError
			if errors.As(err, &output) {
				return output // no line of a list is to blame
			}
			return &list.Error{Pos: e.Pos, Err: err}
		}
		if segments == nil {
			continue
		}
		if err := errors.Join(a.out.Flush(), segments.EndEntry()); err != nil {
			return err
		}
	}
	return a.out.Close()
}

type archiver struct {
	ArchiveOptions
	out *newc.Writer
	ino uint32
	buf []byte
}

func (a *archiver) warn(format string, args ...any) {
	if a.Warn != nil {
		a.Warn(fmt.Sprintf(format, args...))
	}
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
		MTime: a.MTime,
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
	content, info, err := open(e.Location)
	if err != nil {
		return err
	}
	defer content.Close()
	size := info.Size()
	if a.FileTimes {
		h.MTime = a.fileTime(e.Location, info)
	}
	if a.Checksum {
		if h.Checksum, err = a.sum(content, size); err != nil {
			return &LocationError{e.Location, Unread, err}
		}
	}
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
	if !a.out.Aligned() {
		a.warn("%s: best-effort alignment %d missed", h.Name, a.Align)
	}
	n, err := io.CopyBuffer(a.out, io.LimitReader(content, size), a.buf)
	var readError *fs.PathError
	var output *writeError
	switch {
	case errors.Is(err, newc.ErrChecksum):
		return &LocationError{e.Location, Unread, fmt.Errorf("%s changed while it was read", e.Location)}
	case errors.As(err, &output):
		return err
	case errors.As(err, &readError):
		return &LocationError{e.Location, Unread, locationError(e.Location, err)}
	case err != nil:
		return err
	case n < size:
		return &LocationError{e.Location, Unread, fmt.Errorf("%s shrank while it was read: %d of %d bytes", e.Location, n, size)}
	}
	switch n, err := content.Read(a.buf[:1]); {
	case n > 0:
		return &LocationError{e.Location, Unread, fmt.Errorf("%s grew while it was read: it had %d bytes", e.Location, size)}
	case err != nil && err != io.EOF:
		return &LocationError{e.Location, Unread, locationError(e.Location, err)}
	}
	return nil
}

// fileTime returns the time that a file has on disk, as far as an archive has
// room for it.
func (a *archiver) fileTime(location string, info fs.FileInfo) uint32 {
	mtime := info.ModTime().Unix()
	switch {
	case mtime > math.MaxUint32:
		a.warn("%s: Timestamp exceeds maximum cpio timestamp, clipping.", location)
		return math.MaxUint32
	case mtime < 0:
		a.warn("%s: Timestamp negative, clipping.", location)
		return 0
	}
	return uint32(mtime)
}

// sum returns the checksum of a file's first size bytes, and goes back to its
// beginning. Where it ends sooner, so it will when it is packed.
func (a *archiver) sum(content *os.File, size int64) (uint32, error) {
	sum := uint32(0)
	for r := io.LimitReader(content, size); ; {
		n, err := r.Read(a.buf)
		sum = newc.Checksum(sum, a.buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, locationError(content.Name(), err)
		}
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return 0, locationError(content.Name(), err)
	}
	return sum, nil
}

// LocationError is a location whose content cannot be packed.
type LocationError struct {
	Location string
	Fault    LocationFault
	// Err says what is wrong, and names the location.
	Err error
}

func (e *LocationError) Error() string { return e.Err.Error() }

func (e *LocationError) Unwrap() error { return e.Err }

// LocationFault tells why a location's content cannot be packed.
type LocationFault uint8

const (
	Unopened LocationFault = iota + 1 // it is not there, not to be opened, or no file
	TooLarge                          // the file is larger than an archive's records
	Unread                            // reading failed, or the file changed meanwhile
)

// open opens the file at a location and says what is known of it. os.DevNull is an empty
// file; other things than files are refused before they are opened, for opening a
// FIFO waits.
func open(location string) (*os.File, fs.FileInfo, error) {
	fail := func(fault LocationFault, err error) (*os.File, fs.FileInfo, error) {
		return nil, nil, &LocationError{location, fault, err}
	}
	info, err := os.Stat(location)
	if err != nil {
		return fail(Unopened, locationError(location, err))
	}
	switch {
	case location == os.DevNull:
	case info.IsDir():
		return fail(Unopened, fmt.Errorf("%s is a directory: a file line wants a file", location))
	case !info.Mode().IsRegular():
		return fail(Unopened, fmt.Errorf("%s is not a regular file", location))
	}
	file, err := os.Open(location)
	if err != nil {
		return fail(Unopened, locationError(location, err))
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return fail(Unopened, locationError(location, err))
	}
	if info.Size() > newc.MaxSize {
		file.Close()
		return fail(TooLarge, fmt.Errorf("%s has %d bytes: an archive holds files of at most %d", location, info.Size(), int64(newc.MaxSize)))
	}
	return file, info, nil
}

// locationError names the location once: os.PathError would say it again.
func locationError(location string, err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("cannot read %s: %w", location, err)
}
