//go:build unix

package write

import (
	"os"
	"syscall"
)

// duplicateStdout returns a new descriptor of standard output.
func duplicateStdout() (uintptr, error) {
	fd, err := syscall.Dup(int(os.Stdout.Fd()))
	return uintptr(fd), err
}
