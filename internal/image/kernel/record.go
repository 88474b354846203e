package kernel

import (
	"path"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// Record is what the extractor sees of a record of an archive, the content aside.
type Record struct {
	// Name is the path as the archive has it.
	Name string
	// Mode is the type and the permissions, as in stat(2).
	Mode     uint32
	UID, GID uint32
	// MTime is in seconds since 1970-01-01 00:00:00 UTC.
	MTime uint32
	// RMajor and RMinor are the numbers of a device node.
	RMajor, RMinor uint32
	// Target is where a symbolic link leads, up to its first NUL.
	Target string
	// Size counts the bytes of the body: a regular file's content, or a symbolic
	// link's target.
	Size int64
	// NLink counts the file's names. The kernel looks for hard links from 2 on, and
	// takes records of one type with the same Inode for names of one file.
	NLink uint32
	Inode Inode
	// Skipped reports a name field that makes the kernel skip the record.
	Skipped bool
	// Body is the caller's number for the content. File.Body holds it.
	Body int
}

// Inode is what init/initramfs.c knows a file by, along with its type. Trailers
// counts the trailers before the record: a trailer makes the kernel forget the
// files before it.
type Inode struct {
	Trailers          int
	Ino, Major, Minor uint32
}

// RecordOf returns the record of an image's entry. Its Body is the entry's Index.
func RecordOf(e *image.Entry) *Record {
	return &Record{
		Name: e.Name, Mode: e.Mode, UID: e.UID, GID: e.GID, MTime: e.MTime, RMajor: e.RMajor, RMinor: e.RMinor,
		Target: e.Target, Size: e.Size, NLink: e.NLink, Inode: Inode{e.Trailers, e.Ino, e.Major, e.Minor}, Skipped: e.Skipped, Body: e.Index,
	}
}

// CleanPath returns the absolute path that a name means to the kernel, which
// unpacks in the root directory. It does not consider symbolic links.
func CleanPath(name string) string { return path.Clean("/" + name) }
