// Package system prepares a machine for the programs that run on it, as its first
// process must: it mounts the file systems that programs look for and opens the
// console. In the end it turns the machine off.
package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A mount is one of the kernel's own file systems, and where it is mounted.
type mount struct {
	dir    string
	fsType string
	flags  uintptr
	data   string

	// keepFiles skips the mount if it would hide files of the image.
	keepFiles bool
}

var basicMounts = []mount{
	{dir: "/proc", fsType: "proc", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{dir: "/sys", fsType: "sysfs", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{dir: "/dev", fsType: "devtmpfs", flags: unix.MS_NOSUID, data: "mode=0755"},
	// The group is tty, as in all distributions. Programs that have no privileges open ptmx.
	{dir: "/dev/pts", fsType: "devpts", flags: unix.MS_NOSUID | unix.MS_NOEXEC, data: "mode=0620,gid=5,ptmxmode=0666"},
	{dir: "/dev/shm", fsType: "tmpfs", flags: unix.MS_NOSUID | unix.MS_NODEV, data: "mode=1777", keepFiles: true},
	{dir: "/tmp", fsType: "tmpfs", flags: unix.MS_NOSUID | unix.MS_NODEV, data: "mode=1777", keepFiles: true},
	{dir: "/run", fsType: "tmpfs", flags: unix.MS_NOSUID | unix.MS_NODEV, data: "mode=0755", keepFiles: true},
}

// MountBasic mounts /proc, /sys, /dev, /dev/pts, /dev/shm, /tmp and /run, and makes
// those directories if the image lacks them. It skips a directory on which something
// is mounted already, a tmpfs if the image has files there, and a file system that the
// kernel was built without: /dev then has the image's own nodes. In /dev it makes the
// links that programs use. It continues after an error, and returns all of them.
func MountBasic() []error {
	var errs []error
	for _, m := range basicMounts {
		if err := m.mount(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := linkDevices("/dev"); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func (m *mount) mount() error {
	if err := os.Mkdir(m.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make a directory for %s: %v", m.fsType, err)
	}
	mounted, err := IsMountPoint(m.dir)
	if err != nil || mounted {
		return err
	}
	if m.keepFiles {
		if entries, err := os.ReadDir(m.dir); err != nil || len(entries) > 0 {
			return err
		}
	}
	err = unix.Mount(m.fsType, m.dir, m.fsType, m.flags, m.data)
	if errors.Is(err, unix.ENODEV) { // the kernel lacks this file system
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot mount %s on %s: %v", m.fsType, m.dir, err)
	}
	return nil
}

// DetachTmp unmounts /tmp. Below a new root no path would lead to it, and its
// memory would stay in use.
func DetachTmp() error {
	mounted, err := IsMountPoint("/tmp")
	if err != nil || !mounted {
		return err
	}
	return unix.Unmount("/tmp", unix.MNT_DETACH)
}

// IsMountPoint reports whether something is mounted on a file or directory itself. A
// directory that is bind-mounted on itself is a mount point, and a subvolume of btrfs,
// which has a device number of its own, is not. Kernels before 5.8 do not say, and
// IsMountPoint compares the device number with that of the parent.
func IsMountPoint(name string) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, name, unix.AT_NO_AUTOMOUNT, 0, &st)
	if err == nil && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
	}
	if err != nil && !errors.Is(err, unix.ENOSYS) {
		return false, &fs.PathError{Op: "statx", Path: name, Err: err}
	}
	return hasOwnDevice(name)
}

// hasOwnDevice reports whether a directory is on another file system than its parent.
func hasOwnDevice(dir string) (bool, error) {
	own, err := Device(dir)
	if err != nil {
		return false, err
	}
	parent, err := Device(dir + "/..") // not Join: dir may be a symbolic link
	return own != parent, err
}

// Device returns the device number of the file system that a file is on.
func Device(name string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return uint64(st.Dev), nil
}
