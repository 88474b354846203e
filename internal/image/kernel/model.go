package kernel

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// File is what the entries of one file make of it.
type File struct {
	// Mode is the type and the permissions, as in stat(2).
	Mode     uint32
	UID, GID uint32
	// MTime is in seconds since 1970-01-01 00:00:00 UTC. A directory has one once
	// the image is at its end, and 0 where the kernel's clock gives it.
	MTime uint32
	// RMajor and RMinor are the device that a device node stands for.
	RMajor, RMinor uint32
	// Target is where a symbolic link leads.
	Target string
	// Size counts the bytes of a regular file; Digest is their SHA-256, if the
	// model was made with digests; Body is the Index of the entry that holds them,
	// -1 for other types.
	Size   int64
	Digest [sha256.Size]byte
	Body   int
	// NLink counts the names, as in stat(2): of a directory, 2 and those in it
	// that are directories. It is 0 once all are gone.
	NLink int

	// names counts what is in a directory.
	names int
}

// Type returns the type bits of the file's mode.
func (f *File) Type() uint32 { return f.Mode & cpio.TypeMask }

// permissionMask has the bits of a mode that chmod(2) sets.
const permissionMask = 0o7777

// Model is what a kernel has in rootfs while it unpacks an image: Add the entries
// in their order.
//
// It does to Files what init/initramfs.c does to a file system, call by call. A
// kernel without CONFIG_INITRAMFS_PRESERVE_MTIME gives other times.
type Model struct {
	// Files has absolute, clean paths without symbolic links in them for keys; "/"
	// is the root directory, which is always there. The names of one file lead to
	// the same *File.
	Files map[string]*File

	// links has the first name of each file that can have several, as written.
	links    map[LinkKey]string
	trailers int
	// dirs are the entries of directories, for their times (dir_list).
	dirs []dirTime
	// longer counts the bytes that Files' paths have over their entries' names.
	longer int64
	walked
}

type dirTime struct {
	name  string
	mtime uint32
}

// LinkKey is what init/initramfs.c knows a file by, until the next trailer.
type LinkKey struct {
	trailers                    int
	ino, major, minor, typeBits uint32
}

func KeyOf(e *image.Entry) LinkKey { return LinkKey{e.Trailers, e.Ino, e.Major, e.Minor, e.Type()} }

// NewModel returns an empty root directory, as the kernel finds it that unpacks
// its first archive.
func NewModel() *Model {
	return &Model{
		Files: map[string]*File{"/": {Mode: cpio.TypeDir | 0o755, NLink: 2, Body: -1}},
		links: map[LinkKey]string{},
	}
}

// maxLonger bounds the memory that symbolic links make of short names: the bytes
// that the paths of a model may have over the names that they are from.
const maxLonger = 64 << 20

// ErrPaths reports an image whose files have paths that are too long together,
// symbolic links followed.
var ErrPaths = errors.New("the paths that its names lead to over symbolic links are more than 64 MiB longer than the names")

// ReadModel reads an image to its end; with digests, the contents of regular
// files too. It calls each, if that is not nil, with every entry, what became of
// it, and its content; an error of each is returned.
func ReadModel(r *image.Reader, digests bool, each func(e *image.Entry, made Result, content io.Reader) error) (*Model, error) {
	m := NewModel()
	buf := make([]byte, 64<<10)
	for {
		e, err := r.Next()
		if err == io.EOF {
			m.End()
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		made := m.Add(e)
		if m.longer > maxLonger {
			return nil, ErrPaths
		}
		if !digests || made.File == nil || made.File.Body != e.Index {
			if each != nil {
				if err := each(e, made, r); err != nil {
					return nil, err
				}
			}
			continue
		}
		h := sha256.New()
		if each != nil {
			if err := each(e, made, io.TeeReader(r, h)); err != nil {
				return nil, err
			}
		}
		if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, buf); err != nil {
			return nil, err
		}
		h.Sum(made.File.Digest[:0])
	}
}

// CleanPath returns the absolute path that a name means to a kernel, which
// unpacks in the root directory, symbolic links aside.
func CleanPath(name string) string { return path.Clean("/" + name) }

// Add does what do_name, do_copy and do_symlink of init/initramfs.c do with an
// entry.
func (m *Model) Add(e *image.Entry) Result {
	if e.Trailers != m.trailers {
		clear(m.links)
		m.trailers = e.Trailers
	}
	switch {
	case e.Type() == cpio.TypeSymlink && e.Size > image.MaxTarget:
		return drop(e, &fault{DropTarget, fmt.Sprintf("its target is longer than %d bytes", image.MaxTarget)})
	case e.Type() != cpio.TypeSymlink && e.Type() != cpio.TypeRegular && e.Size > 0:
		return drop(e, &fault{DropBody, "it has content and is no regular file"})
	}
	before, at, _ := m.resolve(e.Name, false)
	var was File
	if before != nil {
		was = *before
	}
	var r Result
	var err *fault
	switch e.Type() {
	case cpio.TypeRegular:
		r, err = m.addRegular(e)
	case cpio.TypeDir:
		r, err = m.addDir(e)
	case cpio.TypeSymlink:
		r, err = m.addSymlink(e)
	case cpio.TypeChar, cpio.TypeBlock, cpio.TypePipe, cpio.TypeSocket:
		r, err = m.addNode(e)
	default:
		m.cleanPath(e.Name, e.Type())
		err = &fault{DropType, fmt.Sprintf("there is no type %#o", e.Type())}
	}
	if err != nil {
		r = drop(e, err)
	}
	if before == nil {
		return r
	}
	switch after := m.Files[at]; {
	case after != before:
		r.Replaced = before
	case r.File == before || was != *before:
		r.Replaced = &was
	}
	return r
}

func (m *Model) addRegular(e *image.Entry) (Result, *fault) {
	m.cleanPath(e.Name, e.Type())
	linked, err := m.maybeLink(e)
	if err != nil {
		return Result{}, err
	}
	f, created, err := m.open(e.Name)
	if err != nil {
		return Result{}, err
	}
	at := m.path()
	m.chown(f, e)
	f.Mode = f.Type() | e.Mode&permissionMask
	f.MTime = e.MTime
	if !linked || created || e.Size > 0 {
		f.Size, f.Body, f.Digest = e.Size, e.Index, [sha256.Size]byte{}
	}
	return Result{Path: at, File: f}, nil
}

func (m *Model) addDir(e *image.Entry) (Result, *fault) {
	m.cleanPath(e.Name, e.Type())
	made := m.mkdir(e.Name)
	m.dirs = append(m.dirs, dirTime{e.Name, e.MTime})
	f, at, err := m.resolve(e.Name, true)
	switch {
	case f == nil && made != nil && made.drop != DropExists:
		return Result{}, made
	case f == nil:
		return Result{}, err
	}
	m.chown(f, e)
	f.Mode = f.Type() | e.Mode&permissionMask
	return Result{Path: at, File: f}, nil
}

func (m *Model) addNode(e *image.Entry) (Result, *fault) {
	m.cleanPath(e.Name, e.Type())
	linked, err := m.maybeLink(e)
	if err != nil {
		return Result{}, err
	}
	if linked {
		f, at, _ := m.resolve(e.Name, false)
		return Result{Path: at, File: f}, nil
	}
	made := m.mknod(e)
	if f, _, _ := m.resolve(e.Name, true); f != nil {
		m.chown(f, e)
		f.Mode = f.Type() | e.Mode&permissionMask
	}
	f, at, err := m.resolve(e.Name, false)
	if f != nil {
		f.MTime = e.MTime
	}
	switch {
	case made == nil, f != nil && f.Type() == e.Type():
		return Result{Path: at, File: f}, nil
	case f == nil && made.drop == DropExists:
		return Result{}, err
	}
	return Result{}, made
}

func (m *Model) addSymlink(e *image.Entry) (Result, *fault) {
	m.cleanPath(e.Name, 0)
	made := m.symlink(e)
	f, at, _ := m.resolve(e.Name, false)
	if f != nil {
		m.chown(f, e)
		f.MTime = e.MTime
	}
	if made != nil {
		return Result{}, made
	}
	return Result{Path: at, File: f}, nil
}

// cleanPath is clean_path: it removes what has the name and another type, and
// fails in silence, such as for a directory that is not empty.
func (m *Model) cleanPath(name string, typeBits uint32) {
	f, _, _ := m.resolve(name, false)
	switch {
	case f == nil || f.Type() == typeBits:
	case f.Type() == cpio.TypeDir:
		m.rmdir(name)
	default:
		m.unlink(name)
	}
}

// maybeLink is maybe_link: it gives a file that was there before the entry's
// name, and tells whether it did.
func (m *Model) maybeLink(e *image.Entry) (bool, *fault) {
	if e.NLink < 2 {
		return false, nil
	}
	key := KeyOf(e)
	first, ok := m.links[key]
	if !ok {
		m.links[key] = e.Name
		return false, nil
	}
	m.cleanPath(e.Name, 0)
	if err := m.link(first, e.Name); err != nil {
		return false, err
	}
	return true, nil
}

// End gives the directories their times, as dir_utime does when the image is at
// its end: from the last entry to the first.
func (m *Model) End() {
	for i := len(m.dirs) - 1; i >= 0; i-- {
		if f, _, _ := m.resolve(m.dirs[i].name, false); f != nil {
			f.MTime = m.dirs[i].mtime
		}
	}
	m.dirs = nil
}
