package elf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"unsafe"
)

// File is what loaders read of a file, and what they find for it.
type File struct {
	// Object is set for a program or a shared object. Damage is set in its place if the kernel
	// or a loader would refuse the file.
	Object *Object
	Damage error
	// Configuration is the text of a configuration file of a loader.
	Configuration string
	// IsDir marks a directory.
	IsDir bool
	// IsExecutable is set for a file that may be executed.
	IsExecutable bool
	// IsFirst marks the program that the kernel starts, when /proc is not mounted: its loader does not
	// know $ORIGIN in its own search path (sysdeps/unix/sysv/linux/dl-origin.c of the GNU C library,
	// fixup_rpath in ldso/dynlink.c of musl).
	IsFirst bool
	// IsSpare marks a file that is there only if another one needs it. A file that is not spare is
	// preferred to one that is.
	IsSpare bool

	// Resolve sets what follows, of files with an Object.

	// Path is the first path of the file.
	Path string
	// IsUsed is set for a file that the kernel runs or a loader loads: it is executable, it has
	// the name of a shared object, or another file needs it.
	IsUsed bool
	// IsPlugin is set for a file that is used, but not by a program that is linked with it.
	IsPlugin bool
	// Needs has what became of each of Object.Needed, and Loads of each of Object.Notes, which are
	// nil if it is not used. Where two programs load the file and differ in what they find, it is the
	// worse.
	Needs []Need
	Loads []Load
	// Extra has what became of each of Options.Extra, of a program with the loader of the GNU C
	// library.
	Extra []Need
	// LoadedBy is the file that made a loader load it first; nil if it is not loaded.
	LoadedBy *File
}

// LosesOrigin reports whether the file has a search path with $ORIGIN that its loader does not know.
func (f *File) LosesOrigin() bool {
	return f.IsFirst && strings.Contains(f.Object.RPath+f.Object.RunPath, "ORIGIN")
}

// Limits of all files together.
const (
	// maxMemory is the size up to which an ELF file is held in memory while it is read, in bytes.
	maxMemory = 8 << 20
	// maxText is the largest configuration file that is read, in bytes, and maxTexts the most
	// that is read of all.
	maxText, maxTexts = 64 << 10, 1 << 20
	// maxNames bounds the memory for names in ELF files, in bytes.
	maxNames = 64 << 20
)

// errNames reports files with more names than any real system has.
var errNames = fmt.Errorf("the programs are linked with names of more than %d MiB in total", maxNames>>20)

// Reader reads files one after another. The zero Reader is ready for use; Close it after the
// last file.
type Reader struct {
	// names has each name of the ELF files once. namesSize counts them and what refers to
	// them, in bytes, and textsSize counts the configuration files.
	names                map[string]string
	namesSize, textsSize int

	memory bytes.Buffer
	// spool holds an ELF file that is too large for memory; nil before the first.
	spool *os.File
}

// Close releases what the Reader has on disk and in memory.
func (r *Reader) Close() {
	if r.spool != nil {
		r.spool.Close()
		os.Remove(r.spool.Name()) // where it could not be removed while it was open
	}
	*r = Reader{}
}

// HeadSize is the number of bytes of a file by which Read recognizes it.
const HeadSize = 64

// Read reads a regular file of size bytes, which begins with head and goes on with body.
// head has at least HeadSize bytes, unless the file is shorter. Read returns nil for a file that
// no loader reads. Its errors are those of body and of temporary files.
func (r *Reader) Read(name string, size int64, head []byte, body io.Reader) (*File, error) {
	if isConfiguration(name) && size <= maxText && r.textsSize+int(size) <= maxTexts {
		rest, err := io.ReadAll(body)
		text := string(head) + string(rest)
		r.textsSize += len(text)
		return &File{Configuration: text}, err
	}
	if !isObject(head) {
		return nil, nil
	}
	content, err := r.store(head, body, size)
	if err != nil {
		return nil, err
	}
	return r.read(content, size)
}

// ReadAt is Read for a file whose content can be read in any order.
func (r *Reader) ReadAt(name string, size int64, content io.ReaderAt) (*File, error) {
	if isConfiguration(name) {
		return r.Read(name, size, nil, io.NewSectionReader(content, 0, size))
	}
	switch f, err := r.read(content, size); {
	case err == nil && f.Damage == errNotObject:
		return nil, nil
	default:
		return f, err
	}
}

func (r *Reader) read(content io.ReaderAt, size int64) (*File, error) {
	o, err := readObject(content, size)
	if damage, ok := errors.AsType[FormatError](err); ok {
		return &File{Damage: damage}, nil
	}
	if err != nil {
		return nil, err
	}
	names := []*string{&o.Interp, &o.Soname, &o.RPath, &o.RunPath}
	for _, all := range [][]string{o.Needed, o.Defines} {
		for i := range all {
			names = append(names, &all[i])
		}
	}
	for i := range o.Requires {
		names = append(names, &o.Requires[i].Name)
		for j := range o.Requires[i].Versions {
			names = append(names, &o.Requires[i].Versions[j])
		}
	}
	for i := range o.Notes {
		note := &o.Notes[i]
		names = append(names, &note.Feature, &note.Description, (*string)(&note.Priority))
		for j := range note.Sonames {
			names = append(names, &note.Sonames[j])
		}
		r.namesSize += len(note.Sonames) * int(unsafe.Sizeof(Need{}))
	}
	r.namesSize += len(o.Needed) * int(unsafe.Sizeof(Need{}))
	return &File{Object: o}, r.Keep(names...)
}

// store makes the content of a file readable in any order, until the next call.
func (r *Reader) store(head []byte, body io.Reader, size int64) (io.ReaderAt, error) {
	if size <= maxMemory {
		r.memory.Reset()
		r.memory.Write(head)
		_, err := r.memory.ReadFrom(body)
		return bytes.NewReader(r.memory.Bytes()), err
	}
	if r.spool == nil {
		spool, err := os.CreateTemp("", "packer-elf-")
		if err != nil {
			return nil, err
		}
		os.Remove(spool.Name())
		r.spool = spool
	}
	if err := r.spool.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := r.spool.WriteAt(head, 0); err != nil {
		return nil, err
	}
	_, err := io.Copy(io.NewOffsetWriter(r.spool, int64(len(head))), struct{ io.Reader }{body})
	return r.spool, err
}

// Keep replaces names by equal ones that it has kept, and fails if all names together need too
// much memory.
func (r *Reader) Keep(names ...*string) error {
	if r.names == nil {
		r.names = map[string]string{}
	}
	for _, name := range names {
		known, ok := r.names[*name]
		if !ok {
			known = strings.Clone(*name)
			r.names[known] = known
			r.namesSize += len(known) + 32
		}
		*name = known
		r.namesSize += 16
	}
	if r.namesSize > maxNames {
		return errNames
	}
	return nil
}

// isConfiguration reports whether a loader may read the file with this path.
func isConfiguration(name string) bool {
	return strings.HasPrefix(name, "/etc/") && (path.Ext(name) == ".conf" || isMuslPath(name))
}

// IsData reports whether ELF files with this path are not programs of the system: they are
// firmware, belong to kernel modules, or hold debug information.
func IsData(name string) bool {
	for _, dir := range []string{"/lib/firmware/", "/lib/modules/", "/lib/debug/"} {
		if strings.HasPrefix(name, dir) || strings.HasPrefix(name, "/usr"+dir) {
			return true
		}
	}
	return path.Ext(name) == ".debug"
}

// IsSharedName reports whether a file has the name of a shared object.
func IsSharedName(name string) bool {
	base := path.Base(name)
	return path.Ext(base) == ".so" || strings.Contains(base, ".so.")
}
