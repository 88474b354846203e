//go:build unix

package qemu

import (
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// saveTerminal remembers the settings of the terminal f, which QEMU changes, and
// returns a function that restores them. QEMU restores them itself unless it is
// killed. If f is not a terminal, there is nothing to restore.
func saveTerminal(f *os.File) (restore func()) {
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	// QEMU makes its input non-blocking, and the shell shares the open file.
	flags, flagsErr := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return func() {
		// Restore only what has changed: changing the settings of a terminal stops a
		// background process.
		if now, err := term.GetState(fd); err == nil && *now != *before {
			term.Restore(fd, before)
		}
		if flagsErr == nil {
			unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
		}
	}
}
