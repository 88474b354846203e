package switchroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// removeAll deletes the files in dir that are on its file system. File systems that
// are mounted below stay, with the directories that lead to them. It continues after
// an error, and returns the first one.
func removeAll(dir *os.Root) error {
	info, err := dir.Stat(".")
	if err != nil {
		return err
	}
	return removeOnDevice(dir, info.Sys().(*syscall.Stat_t).Dev)
}

// removeOnDevice is removeAll for the file system with this device number.
func removeOnDevice(dir *os.Root, device uint64) error {
	names, first := readNames(dir)
	for _, name := range names {
		if err := removeName(dir, name, device); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// readNames returns the names in a directory, and closes it: only the os.Root of
// each level stays open.
func readNames(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func removeName(dir *os.Root, name string, device uint64) error {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Sys().(*syscall.Stat_t).Dev != device {
		return nil
	}
	var first error
	if info.IsDir() {
		below, err := dir.OpenRoot(name)
		if err != nil {
			return err
		}
		first = removeOnDevice(below, device)
		below.Close()
	}
	// A directory that leads to a mount point cannot be removed.
	err = dir.Remove(name)
	if err != nil && first == nil && !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.ENOTEMPTY) {
		first = fmt.Errorf("cannot delete %s: %w", name, err)
	}
	return first
}
