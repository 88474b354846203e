// Package kernel models the extractor of the kernel, init/initramfs.c: what a
// kernel that unpacks an image has in its root file system, and what it drops
// silently.
//
// This is the only package that knows the extractor's rules. Others add records to
// a Model and act on the Results and on the Files at the end.
package kernel

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// File is a file that records have made.
type File struct {
	// Mode is the type and the permissions, as in stat(2).
	Mode     uint32
	UID, GID uint32
	// MTime is in seconds since 1970-01-01 00:00:00 UTC. A directory has one at the
	// end of the image; it is 0 where the kernel takes the time from its clock.
	MTime uint32
	// RMajor and RMinor are the numbers of a device node.
	RMajor, RMinor uint32
	// Target is where a symbolic link leads.
	Target string
	// Size counts the bytes of a regular file. Digest is their SHA-256 if the model
	// was made with digests. Body is the Body of the record that holds them, and -1
	// for other types.
	Size   int64
	Digest [sha256.Size]byte
	Body   int
	// NLink counts the names, as in stat(2): for a directory, 2 and the directories
	// in it. It is 0 once all names are gone.
	NLink int

	ino int
	// parent is the directory that the file was made in; nil for the root directory.
	parent *File
	// names counts what is in a directory.
	names int
	// implied marks a directory of an overlay that no record has named.
	implied bool
}

// Type returns the type bits of the file's mode.
func (f *File) Type() uint32 { return f.Mode & cpio.TypeMask }

// Ino returns the file's number: a model numbers files in the order in which it makes
// them.
func (f *File) Ino() int { return f.ino }

const (
	// permissionMask has the bits of a mode that chmod(2) sets.
	permissionMask = 0o7777
	// unset is the owner or group that chown(2) leaves as it is: -1.
	unset = 1<<32 - 1
)

// Model is what a kernel has in rootfs while it unpacks an image. Add the records
// in their order.
//
// It does to Files what init/initramfs.c does to a file system, call by call. A
// kernel without CONFIG_INITRAMFS_PRESERVE_MTIME sets other times.
type Model struct {
	// Files has absolute, clean paths without symbolic links as keys. "/" is the
	// root directory, which always exists. All names of a file lead to the same
	// *File.
	Files map[string]*File

	// children has what is in Files by its directory, so that the cost of a step along a path
	// does not depend on the length of the path. An overlay does not use it: what is below a
	// symbolic link there stays if a directory takes the place of the link.
	children map[child]*File
	// overlay makes it the model of NewOverlay. implies makes directories that no record
	// has named where records need them.
	overlay, implies bool
	// made counts the files made so far.
	made int
	// links has the first name of each file that can have several, as written.
	links    map[linkKey]string
	trailers int
	// dirs are the records of directories, for their times (dir_list).
	dirs []dirTime
	// text counts the bytes of names that the model keeps: Files' paths, the targets of
	// symbolic links, and names in links and dirs.
	text int64
	walked
}

// dirTime is a record of a directory. made is the directory if the record made it, when the
// model had seen this many changes.
type dirTime struct {
	name    string
	mtime   uint32
	made    *File
	changes int
}

// child is a name in a directory.
type child struct {
	dir  *File
	name string
}

// linkKey is what maybe_link finds the first name of a file by.
type linkKey struct {
	Inode
	typeBits uint32
}

// NewModel returns an empty root directory, as the kernel has it before it unpacks
// its first archive.
func NewModel() *Model {
	return &Model{
		Files:    map[string]*File{"/": {Mode: cpio.TypeDir | 0o755, NLink: 2, Body: -1}},
		links:    map[linkKey]string{},
		children: map[child]*File{},
	}
}

// NewOverlay returns the model of an archive that will be unpacked over files that
// are not known yet. Where a record needs a directory that no record has named,
// the directory is taken to exist. A symbolic link with names below it is taken to
// lead to a directory and is not followed. The owner and the group of a file are
// -1 unless a record sets them.
func NewOverlay() *Model {
	m := NewImplied()
	m.overlay, m.Files["/"].implied = true, true
	return m
}

// NewImplied returns the model of an archive whose missing directories are added: a
// directory with mode 0755 is made where a record needs one that does not exist.
func NewImplied() *Model {
	m := NewModel()
	m.implies = true
	return m
}

// maxText bounds the memory that names take. A compressed image of a few hundred KB can
// have GiBs of them, and symbolic links make long paths of short names.
const maxText = 128 << 20

// ErrText reports records with names that are too long in total.
var ErrText = errors.New("its paths and the targets of its symbolic links have more than 128 MiB in total")

// maxLed bounds the time that symbolic links take. Each of a few thousand short names can
// lead over 40 links with targets of 4 KiB.
const maxLed = 128 << 20

// ErrLinks reports records with names that lead over too long symbolic links.
var ErrLinks = errors.New("its names lead over symbolic links whose targets have more than 128 MiB in total")

// Err returns ErrText once the files have too much of names, and ErrLinks once names have
// led too far. From then on, what the model says does not hold.
func (m *Model) Err() error {
	switch {
	case m.text > maxText:
		return ErrText
	case m.led > maxLed:
		return ErrLinks
	}
	return nil
}

// ReadModel reads an image to its end into a new model, as Model.Read does.
func ReadModel(r *image.Reader, digests bool, each func(e *image.Entry, made Result, content io.Reader) error) (*Model, error) {
	m := NewModel()
	if err := m.Read(r, digests, each); err != nil {
		return nil, err
	}
	return m, nil
}

// Read reads an image to its end; with digests, the contents of regular files too.
// It calls each, unless that is nil, with every entry, its result and its content.
// It returns the error of each.
func (m *Model) Read(r *image.Reader, digests bool, each func(e *image.Entry, made Result, content io.Reader) error) error {
	buf := make([]byte, 64<<10)
	for {
		e, err := r.Next()
		if err == io.EOF {
			m.End()
			return m.Err()
		}
		if err != nil {
			return err
		}
		made := m.Add(RecordOf(e))
		if err := m.Err(); err != nil {
			return err
		}
		if !digests || made.File == nil || made.File.Body != e.Index {
			if each != nil {
				if err := each(e, made, r); err != nil {
					return err
				}
			}
			continue
		}
		h := sha256.New()
		if each != nil {
			if err := each(e, made, io.TeeReader(r, h)); err != nil {
				return err
			}
		}
		if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, buf); err != nil {
			return err
		}
		h.Sum(made.File.Digest[:0])
	}
}

// Add does what do_name, do_copy and do_symlink of init/initramfs.c do with a
// record.
func (m *Model) Add(r *Record) Result {
	if r.Inode.Trailers != m.trailers {
		for _, name := range m.links {
			m.text -= int64(len(name))
		}
		clear(m.links)
		m.trailers = r.Inode.Trailers
	}
	kind := r.Mode & cpio.TypeMask
	switch {
	case r.Skipped:
		return m.dropped(r, &failure{DropName, fmt.Sprintf("its name field is empty or over %d bytes", cpio.MaxName+1)})
	case kind == cpio.TypeSymlink && r.Size > image.MaxTarget:
		return m.dropped(r, &failure{DropTarget, fmt.Sprintf("its target is longer than %d bytes", image.MaxTarget)})
	case kind != cpio.TypeSymlink && kind != cpio.TypeRegular && r.Size > 0:
		return m.dropped(r, &failure{DropBody, "it has content and is not a regular file"})
	}
	before, at, _ := m.resolve(r.Name, false)
	if before != nil && before.implied {
		before = nil
	}
	var was File
	if before != nil {
		was = *before
	}
	var made Result
	var err *failure
	switch kind {
	case cpio.TypeRegular:
		made, err = m.addRegular(r)
	case cpio.TypeDir:
		made, err = m.addDir(r)
	case cpio.TypeSymlink:
		made, err = m.addSymlink(r)
	case cpio.TypeChar, cpio.TypeBlock, cpio.TypePipe, cpio.TypeSocket:
		made, err = m.addNode(r)
	default:
		m.cleanPath(r.Name, kind)
		err = &failure{DropType, fmt.Sprintf("there is no type %#o", kind)}
	}
	if err != nil {
		made = m.dropped(r, err)
	}
	if before == nil {
		return made
	}
	switch after := m.Files[at]; {
	case after != before:
		made.Replaced = before
	case made.File == before || was != *before:
		made.Replaced = &was
	}
	return made
}

// Remove removes what has the name, if anything, for archives of other programs than
// the kernel's. A directory that is not empty stays, and the Result says so.
func (m *Model) Remove(name string) Result {
	m.cleanPath(name, 0)
	if f, at, _ := m.resolve(name, false); f != nil {
		return Result{Path: at, Drop: DropNotEmpty, Detail: "a directory of that name is not empty"}
	}
	return Result{}
}

// Link gives the file with the path old another name, for archives of other programs
// than the kernel's.
func (m *Model) Link(old, name string) Result {
	f, at, err := m.link(old, name)
	if err != nil {
		return err.result(CleanPath(name))
	}
	return Result{Path: m.path(), File: f, Linked: at}
}

func (m *Model) dropped(r *Record, err *failure) Result {
	return err.result(CleanPath(r.Name))
}

func (m *Model) addRegular(r *Record) (Result, *failure) {
	m.cleanPath(r.Name, cpio.TypeRegular)
	linked, first, err := m.maybeLink(r)
	if err != nil {
		return Result{}, err
	}
	f, created, err := m.open(r.Name)
	if err != nil {
		return Result{}, err
	}
	made := Result{Path: m.path(), File: f, Created: created}
	if f == linked {
		made.Linked = first
	}
	m.chown(f, r)
	f.Mode = f.Type() | r.Mode&permissionMask
	f.MTime = r.MTime
	if linked == nil || created || r.Size > 0 {
		f.Size, f.Body, f.Digest = r.Size, r.Body, [sha256.Size]byte{}
	}
	return made, nil
}

func (m *Model) addDir(r *Record) (Result, *failure) {
	m.cleanPath(r.Name, cpio.TypeDir)
	failed := m.mkdir(r.Name)
	m.text += int64(len(r.Name))
	f, at, err := m.resolve(r.Name, true)
	m.dirs = append(m.dirs, dirTime{r.Name, r.MTime, nil, m.changes})
	if failed == nil {
		m.dirs[len(m.dirs)-1].made = f
	}
	switch {
	case f == nil && failed != nil && failed.drop != DropExists:
		return Result{}, failed
	case f == nil:
		return Result{}, err
	}
	m.chown(f, r)
	f.Mode = f.Type() | r.Mode&permissionMask
	made := Result{Path: at, File: f, Created: failed == nil || f.implied}
	f.implied = false
	return made, nil
}

func (m *Model) addNode(r *Record) (Result, *failure) {
	kind := r.Mode & cpio.TypeMask
	m.cleanPath(r.Name, kind)
	linked, first, err := m.maybeLink(r)
	if err != nil {
		return Result{}, err
	}
	if linked != nil {
		f, at, _ := m.resolve(r.Name, false)
		return Result{Path: at, File: f, Linked: first}, nil
	}
	failed := m.mknod(r)
	if f, _, _ := m.resolve(r.Name, true); f != nil {
		m.chown(f, r)
		f.Mode = f.Type() | r.Mode&permissionMask
	}
	f, at, err := m.resolve(r.Name, false)
	if f != nil {
		f.MTime = r.MTime
	}
	switch {
	case failed == nil, f != nil && f.Type() == kind:
		return Result{Path: at, File: f, Created: failed == nil}, nil
	case f == nil && failed.drop == DropExists:
		return Result{}, err
	}
	return Result{}, failed
}

func (m *Model) addSymlink(r *Record) (Result, *failure) {
	m.cleanPath(r.Name, 0)
	failed := m.symlink(r)
	f, at, _ := m.resolve(r.Name, false)
	if f != nil {
		m.chown(f, r)
		f.MTime = r.MTime
	}
	if failed != nil {
		return Result{}, failed
	}
	return Result{Path: at, File: f, Created: true}, nil
}

// cleanPath is clean_path: it removes what has the name and another type. It fails
// silently, such as for a directory that is not empty.
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

// maybeLink is maybe_link: it gives a file that an earlier record has made the
// record's name too. It returns that file and the path that it had, or nil if the
// record is the file's first.
func (m *Model) maybeLink(r *Record) (f *File, first string, err *failure) {
	if r.NLink < 2 {
		return nil, "", nil
	}
	key := linkKey{r.Inode, r.Mode & cpio.TypeMask}
	name, ok := m.links[key]
	if !ok {
		m.links[key] = r.Name
		m.text += int64(len(r.Name))
		return nil, "", nil
	}
	m.cleanPath(r.Name, 0)
	return m.link(name, r.Name)
}

// End sets the times of the directories, as dir_utime does at the end of the image:
// from the last record to the first.
func (m *Model) End() {
	m.implies = false
	for i := len(m.dirs) - 1; i >= 0; i-- {
		d := m.dirs[i]
		f := d.made
		if f == nil || d.changes != m.changes {
			f, _, _ = m.resolve(d.name, false)
		}
		if f != nil {
			f.MTime = d.mtime
		}
	}
	m.dirs = nil
}
