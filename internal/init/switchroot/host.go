package switchroot

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A host answers the questions that the checks have about the machine.
type host struct {
	// root is the prefix of each path: empty, or the directory that a test uses
	// as /.
	root string

	pid    func() int
	magic  func(name string) (int64, error)  // the type of the file system
	device func(name string) (uint64, error) // the device number of the file system
}

func thisMachine() host {
	return host{
		pid: os.Getpid,
		magic: func(name string) (int64, error) {
			var st unix.Statfs_t
			if err := unix.Statfs(name, &st); err != nil {
				return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
			}
			return int64(st.Type), nil
		},
		device: func(name string) (uint64, error) {
			var st unix.Stat_t
			if err := unix.Stat(name, &st); err != nil {
				return 0, &fs.PathError{Op: "stat", Path: name, Err: err}
			}
			return uint64(st.Dev), nil
		},
	}
}
