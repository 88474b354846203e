// Package mounts gives an image the file systems that programs look for.
package mounts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A mount is a file system of the kernel's own, and its place.
type mount struct {
	place string
	kind  string
	flags uintptr
	data  string

	// ownContent says that a file of the image in the place keeps it from being
	// hidden by the mount.
	ownContent bool
}

var basic = []mount{
	{place: "/proc", kind: "proc", flags: syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
	{place: "/sys", kind: "sysfs", flags: syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
	{place: "/dev", kind: "devtmpfs", flags: syscall.MS_NOSUID, data: "mode=0755"},
	{place: "/tmp", kind: "tmpfs", flags: syscall.MS_NOSUID | syscall.MS_NODEV, data: "mode=1777", ownContent: true},
	{place: "/run", kind: "tmpfs", flags: syscall.MS_NOSUID | syscall.MS_NODEV, data: "mode=0755", ownContent: true},
}

// Basic mounts /proc, /sys, /dev, /tmp and /run, and makes the directories where
// the image has none. A place where something is mounted is left as it is; so
// are /tmp and /run when the image has files there, and any place whose file
// system the kernel was built without: /dev then has the image's own nodes. It
// goes on after an error, and returns all of them.
func Basic() []error {
	var errs []error
	for _, m := range basic {
		if err := m.mount(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (m *mount) mount() error {
	if err := os.Mkdir(m.place, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make a place for %s: %v", m.kind, err)
	}
	mounted, err := IsPoint(m.place)
	if err != nil || mounted {
		return err
	}
	if m.ownContent {
		if entries, err := os.ReadDir(m.place); err != nil || len(entries) > 0 {
			return err
		}
	}
	err = syscall.Mount(m.kind, m.place, m.kind, m.flags, m.data)
	if errors.Is(err, syscall.ENODEV) { // no such file system in this kernel
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot mount %s on %s: %v", m.kind, m.place, err)
	}
	return nil
}

// DetachTemporary unmounts /tmp. Nobody would find it again below a new root, and
// its memory would stay taken.
func DetachTemporary() error {
	mounted, err := IsPoint("/tmp")
	if err != nil || !mounted {
		return err
	}
	return syscall.Unmount("/tmp", syscall.MNT_DETACH)
}

// IsPoint reports whether a directory is the root of another file system than
// the directory above it. A bind mount within one file system is not seen.
func IsPoint(dir string) (bool, error) {
	own, err := device(dir)
	if err != nil {
		return false, err
	}
	above, err := device(filepath.Join(dir, ".."))
	return own != above, err
}

func device(name string) (uint64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return uint64(st.Dev), nil
}
