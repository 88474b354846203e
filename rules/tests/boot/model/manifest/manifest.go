// Package manifest is the form in which a guest prints the properties of its files. A test compares
// them with those of the packer's model.
package manifest

import "fmt"

// A Line has the properties of a name of a file. Those that the file's type does not have are zero.
type Line struct {
	Path string
	// Mode is the type and the permissions, as in stat(2).
	Mode, UID, GID uint32
	NLink          int
	RMajor, RMinor uint32
	// Size and Digest are of a regular file's content.
	Size   int64
	Digest string
	MTime  int64
	Target string
	// First is the first name of the file, in the order of the bytes.
	First string
}

// Clock is the time of a file whose time comes from the kernel's clock.
const Clock = -1

func (l Line) String() string {
	mtime := fmt.Sprint(l.MTime)
	if l.MTime == Clock {
		mtime = "clock"
	}
	return fmt.Sprintf("%q %06o %d:%d links %d dev %d,%d size %d %s time %s target %q first %q",
		l.Path, l.Mode, l.UID, l.GID, l.NLink, l.RMajor, l.RMinor, l.Size, l.Digest, mtime, l.Target, l.First)
}

// Digest returns the Digest of a Line for a SHA-256.
func Digest(sum [32]byte) string { return fmt.Sprintf("%x", sum[:6]) }

// The guest prints the lines compressed by gzip, in base64. Each line of it has Prefix, its number in
// four digits, and a part. After them comes End with the number of parts.
const (
	Prefix = "manifest "
	End    = "manifest end "
)
