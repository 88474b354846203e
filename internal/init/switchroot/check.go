package switchroot

import (
	"errors"
	"fmt"
	"os"
)

// Kinds of file systems: include/uapi/linux/magic.h.
const (
	ramfsMagic = 0x858458f6
	tmpfsMagic = 0x01021994
)

// Check fails when switching to r's root would lose files that nobody wanted to
// lose, or would leave the machine with nothing to run. It changes nothing.
func (r Request) Check() error { return r.check(thisMachine()) }

func (r Request) check(h host) error {
	if pid := h.pid(); pid != 1 && !r.DryRun {
		return fmt.Errorf("this is process %d, and only process 1 can hand the machine over: start it with exec from /init", pid)
	}
	if err := h.checkOldRoot(); err != nil {
		return err
	}
	if err := h.checkNewRoot(r.NewRoot); err != nil {
		return err
	}
	if err := h.checkInit(r.NewRoot, r.Init); err != nil {
		return err
	}
	return checkDrop(h.root, r.Drop)
}

// checkOldRoot fails unless / is an initramfs: everything on it will be deleted.
func (h host) checkOldRoot() error {
	magic, err := h.magic(h.root + "/")
	if err != nil {
		return err
	}
	if magic != ramfsMagic && magic != tmpfsMagic {
		return fmt.Errorf("/ is no ramfs and no tmpfs, but a file system of kind %#x: all that is on it would be deleted", uint32(magic))
	}
	info, err := os.Stat(h.root + "/init")
	if err != nil || !info.Mode().IsRegular() {
		return errors.New("there is no file /init: / is no initramfs, and all that is on it would be deleted")
	}
	return nil
}

// checkNewRoot fails unless another file system is mounted on newRoot.
func (h host) checkNewRoot(newRoot string) error {
	place := h.root + newRoot
	info, err := os.Stat(place)
	if err != nil {
		return fmt.Errorf("new root: %v: mount it first", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("new root: %s is no directory", newRoot)
	}
	own, err := h.device(place)
	if err != nil {
		return err
	}
	old, err := h.device(h.root + "/")
	if err != nil {
		return err
	}
	above, err := h.device(place + "/..")
	if err != nil {
		return err
	}
	if own == old {
		return fmt.Errorf("new root: %s is on the file system of /, which would be emptied: mount another one there", newRoot)
	}
	if own == above {
		return fmt.Errorf("new root: %s is no mount point, but a directory of a mounted file system: give the directory that it is mounted on", newRoot)
	}
	return nil
}

// checkInit fails unless init is a program of the new root.
func (h host) checkInit(newRoot, init string) error {
	file, err := resolve(h.root+newRoot, init)
	if err != nil {
		return fmt.Errorf("init: %v", err)
	}
	info, err := os.Lstat(file)
	if err != nil {
		return fmt.Errorf("init: %s: %v", init, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("init: %s is no file in the new root", init)
	}
	if info.Mode()&0o111 == 0 {
		return fmt.Errorf("init: %s has mode %04o in the new root, and nobody may execute it", init, info.Mode().Perm())
	}
	return nil
}
