// Package cpio writes and reads the cpio archives that Linux unpacks into rootfs, the
// format that cpio calls newc.
//
// A record is a header of 110 ASCII bytes, a name with its NUL, and a body. NULs pad
// name and body to a multiple of four. For what the kernel makes of a record, see
// Documentation/driver-api/early-userspace/buffer-format.rst and init/initramfs.c.
package cpio

import "errors"

const (
	headerSize = 110
	magic      = "070701"
	magicSum   = "070702" // with a sum of each file's content
	// TrailerName is the name of the record that ends an archive.
	TrailerName = "TRAILER!!!"

	// MaxName is the longest name in bytes, without its NUL. The kernel silently skips
	// a record with a longer name.
	MaxName = 4095

	// maxNameSize is the longest name with its NULs that the kernel takes (PATH_MAX
	// in init/initramfs.c).
	maxNameSize = MaxName + 1

	// MaxSize is the largest body in bytes: the field has eight hex digits.
	MaxSize = 1<<32 - 1

	// blockSize is what an archive is padded to at its end.
	blockSize = 512
)

var (
	// ErrName reports a name that is too long or has a NUL in it.
	ErrName = errors.New("cpio: invalid name")
	// ErrTooLarge reports a body over MaxSize.
	ErrTooLarge = errors.New("cpio: body over 4294967295 bytes")
	// ErrWriteTooLong reports a write past the size in the header.
	ErrWriteTooLong = errors.New("cpio: write too long")
	// ErrChecksum reports a body whose sum is not the one in the header.
	ErrChecksum = errors.New("cpio: bad data checksum")
	// ErrShortBody reports a record that ended before the size in its header.
	ErrShortBody = errors.New("cpio: body shorter than its header says")
	// ErrWriteAfterClose reports a call after Close.
	ErrWriteAfterClose = errors.New("cpio: write after close")
)

// Header describes a record. All numbers but Size have 32 bits in the archive.
type Header struct {
	// Name is the path, without a NUL. The root directory's is empty.
	Name string
	// Ino, Major, Minor and the type say which records are one file.
	Ino uint32
	// Mode is the type and the permissions, as in stat(2).
	Mode uint32
	// UID and GID own the file.
	UID, GID uint32
	// NLink counts the file's names. The kernel looks for hard links from 2 on.
	NLink uint32
	// MTime is in seconds since 1970-01-01 00:00:00 UTC.
	MTime uint32
	// Size counts the bytes of the body: a regular file's content, or a symbolic
	// link's target.
	Size int64
	// Major and Minor are the device that the file was on.
	Major, Minor uint32
	// RMajor and RMinor are the numbers of a device node.
	RMajor, RMinor uint32
	// Checksum is the sum of the bytes of a regular file's body, modulo 1<<32. It
	// counts only in an archive with checksums and in a record with a body: of the
	// records of hard links, the last one.
	Checksum uint32
	// Skipped reports a record that the kernel skips silently: the field of its name has
	// no byte, or more than 4096. Name is the first MaxName bytes of it. A Writer writes
	// no such record.
	Skipped bool
}

// The bits of a mode that give the type of a file, as in stat(2): S_IFMT and the
// S_IF* constants.
const (
	TypeMask    = 0o170000
	TypeSocket  = 0o140000
	TypeSymlink = 0o120000
	TypeRegular = 0o100000
	TypeBlock   = 0o060000
	TypeDir     = 0o040000
	TypeChar    = 0o020000
	TypePipe    = 0o010000
)

// Type returns the type bits of the mode.
func (h *Header) Type() uint32 { return h.Mode & TypeMask }

// isFile reports whether the record is a regular file's.
func (h *Header) isFile() bool { return h.Type() == TypeRegular }
