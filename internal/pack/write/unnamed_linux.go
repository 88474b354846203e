package write

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
)

// createUnnamed creates a file without a name in dir, so that nothing is left of it if the
// process is killed. It returns nil if the file system has no such files (open(2), O_TMPFILE).
func createUnnamed(dir string) *os.File {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil
	}
	file := os.NewFile(uintptr(fd), dir)
	// nameUnnamed needs /proc.
	if _, err := os.Stat(unnamedPath(file)); err != nil {
		file.Close()
		return nil
	}
	return file
}

// nameUnnamed gives a file of createUnnamed a new name that begins with prefix.
func nameUnnamed(file *os.File, prefix string) (string, error) {
	for {
		name := fmt.Sprintf("%s%d", prefix, rand.Uint32())
		err := unix.Linkat(unix.AT_FDCWD, unnamedPath(file), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", &fs.PathError{Op: "link", Path: name, Err: err}
		}
	}
}

func unnamedPath(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", file.Fd()) }
