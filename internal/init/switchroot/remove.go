package switchroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// empty deletes what is in dir and on its file system: what is mounted below
// stays, with the directories that lead there. It goes on after an error, and
// returns the first.
func empty(dir *os.Root) error {
	info, err := dir.Stat(".")
	if err != nil {
		return err
	}
	return emptyOf(dir, info.Sys().(*syscall.Stat_t).Dev)
}

// emptyOf is empty for the file system of that number.
func emptyOf(dir *os.Root, device uint64) error {
	names, first := list(dir)
	for _, name := range names {
		if err := removeOf(dir, name, device); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// list returns the names in a directory, which it does not keep open: as many
// are open as directories are nested.
func list(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func removeOf(dir *os.Root, name string, device uint64) error {
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
		first = emptyOf(below, device)
		below.Close()
	}
	// A directory with a mount point in it cannot go.
	err = dir.Remove(name)
	if err != nil && first == nil && !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.ENOTEMPTY) {
		first = fmt.Errorf("cannot delete %s: %w", name, err)
	}
	return first
}
