package write

import (
	"os"
	"syscall"
)

// duplicateStdout returns a new handle of standard output.
func duplicateStdout() (uintptr, error) {
	process, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0, err
	}
	var handle syscall.Handle
	err = syscall.DuplicateHandle(process, syscall.Handle(os.Stdout.Fd()), process, &handle, 0, false, syscall.DUPLICATE_SAME_ACCESS)
	return uintptr(handle), err
}
