// Package manifest has the form in which a guest tells what files it has, and
// in which that is compared with what the packer's model says.
package manifest

import "fmt"

// Line describes a name of a file. What the file's type does not have is zero.
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

// Clock is the time of a file that the kernel's clock has given its time.
const Clock = -1

func (l Line) String() string {
	mtime := fmt.Sprint(l.MTime)
	if l.MTime == Clock {
		mtime = "clock"
	}
	return fmt.Sprintf("%q %06o %d:%d links %d dev %d,%d size %d %s time %s target %q first %q",
		l.Path, l.Mode, l.UID, l.GID, l.NLink, l.RMajor, l.RMinor, l.Size, l.Digest, mtime, l.Target, l.First)
}

// Digest returns what a Line has for a SHA-256.
func Digest(sum [32]byte) string { return fmt.Sprintf("%x", sum[:6]) }

// What the guest prints: the lines, compressed by gzip, in base64, a number of
// bytes a line, each behind Prefix and its number in four digits, then End with
// the number of them.
const (
	Prefix = "manifest "
	End    = "manifest end "
)
