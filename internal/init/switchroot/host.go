package switchroot

import (
	"io/fs"
	"os"
	"syscall"
)

// A host is what the checks ask of the machine that they run on.
type host struct {
	// root is put before each path: empty, or the folder that stands for / in a
	// test.
	root string

	pid    func() int
	magic  func(name string) (int64, error)  // the kind of file system
	device func(name string) (uint64, error) // the number of the file system
}

func thisMachine() host {
	return host{
		pid: os.Getpid,
		magic: func(name string) (int64, error) {
			var st syscall.Statfs_t
			if err := syscall.Statfs(name, &st); err != nil {
				return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
			}
			return int64(st.Type), nil
		},
		device: func(name string) (uint64, error) {
			var st syscall.Stat_t
			if err := syscall.Stat(name, &st); err != nil {
				return 0, &fs.PathError{Op: "stat", Path: name, Err: err}
			}
			return uint64(st.Dev), nil
		},
	}
}
