package unpack

import (
	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// makeNode makes a device node, a pipe or a socket.
func makeNode(dir *directory, name string, f *kernel.File) error {
	return unix.Mknodat(int(dir.file.Fd()), name, f.Type()|0o600, int(unix.Mkdev(f.RMajor, f.RMinor)))
}

// setLinkTime sets the time of a symbolic link.
func setLinkTime(dir *directory, name string, mtime uint32) error {
	t := unix.NsecToTimespec(int64(mtime) * 1e9)
	return unix.UtimesNanoAt(int(dir.file.Fd()), name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
}

// rename moves a file to another directory.
func rename(from *directory, old string, to *directory, name string) error {
	return atPath(name, unix.Renameat(int(from.file.Fd()), old, int(to.file.Fd()), name))
}

// link gives a file a name in another directory.
func link(from *directory, old string, to *directory, name string) error {
	return atPath(name, unix.Linkat(int(from.file.Fd()), old, int(to.file.Fd()), name, 0))
}
