package unpack

import (
	"syscall"
	"unsafe"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// makeNode makes a device node, a pipe or a socket in an open directory.
func makeNode(dir int, name string, f *kernel.File) error {
	// As new_encode_dev: both in 32 bits, which mknod(2) takes too.
	device := f.RMinor&0xff | f.RMajor<<8 | f.RMinor&^0xff<<12
	return syscall.Mknodat(dir, name, f.Type()|0o600, int(device))
}

// setLinkTime sets the time of a symbolic link in an open directory.
func setLinkTime(dir int, name string, mtime uint32) error {
	const noFollow = 0x100 // AT_SYMLINK_NOFOLLOW
	base, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	t := syscall.NsecToTimespec(int64(mtime) * 1e9)
	times := [2]syscall.Timespec{t, t}
	_, _, errno := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(dir),
		uintptr(unsafe.Pointer(base)), uintptr(unsafe.Pointer(&times)), noFollow, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
