package switchroot

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/init/system"
)

// A host answers the questions that the checks have about the machine.
type host struct {
	root   string // the prefix of each path: empty, or the directory that a test uses as /
	pid    func() int
	magic  func(name string) (int64, error)  // the type of the file system
	device func(name string) (uint64, error) // the device number of the file system
	isRoot func(name string) (bool, error)   // whether it is the root of a mounted file system
	noexec func(name string) (bool, error)   // whether programs of the file system are not run
	try    func(r Request) error             // whether the kernel itself runs the program
}

var thisMachine = host{pid: os.Getpid, magic: fileSystemType, device: system.Device, isRoot: system.IsMountPoint, noexec: mountedNoexec, try: tryProgram}

func fileSystemType(name string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return int64(st.Type), nil
}

func mountedNoexec(name string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return false, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return st.Flags&unix.ST_NOEXEC != 0, nil
}

// Check returns an error if switching to r's root would delete files by mistake, or
// leave the machine with nothing to run. It changes nothing.
func (r Request) Check() error { return r.check(thisMachine) }

func (r Request) check(h host) error {
	pid := h.pid()
	if pid != 1 && !r.DryRun {
		return fmt.Errorf("this is process %d, and only process 1 can switch to another root: start it with exec from /init", pid)
	}
	err := cmp.Or(h.checkOldRoot(), h.checkNewRoot(r.NewRoot), h.checkInit(r.NewRoot, r.Init), checkDrop(h.root, r.Drop))
	if err != nil || pid != 1 { // others may not be allowed to try
		return err
	}
	return h.try(r)
}

// checkOldRoot returns an error unless / is an initramfs, because everything on it
// will be deleted.
func (h host) checkOldRoot() error {
	magic, err := h.magic(h.root + "/")
	if err != nil {
		return err
	}
	if magic != unix.RAMFS_MAGIC && magic != unix.TMPFS_MAGIC {
		return fmt.Errorf("/ is neither a ramfs nor a tmpfs, but a file system of type %#x: refusing to delete its files", uint32(magic))
	}
	info, err := os.Stat(h.root + "/init")
	if err != nil || !info.Mode().IsRegular() {
		return errors.New("there is no file /init, so / is not an initramfs: refusing to delete its files")
	}
	return nil
}

// checkNewRoot returns an error unless another file system is mounted on newRoot.
func (h host) checkNewRoot(newRoot string) error {
	dir := h.root + newRoot
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("new root: %v: mount it first", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("new root: %s is not a directory", newRoot)
	}
	own, ownErr := h.device(dir)
	old, oldErr := h.device(h.root + "/")
	isRoot, rootErr := h.isRoot(dir)
	if err := cmp.Or(ownErr, oldErr, rootErr); err != nil {
		return err
	}
	if own == old {
		return fmt.Errorf("new root: %s is on the file system of /, whose files would be deleted: mount another file system there", newRoot)
	}
	if !isRoot {
		return fmt.Errorf("new root: %s is not a mount point, but a directory in a mounted file system: use the mount point", newRoot)
	}
	return nil
}
