package qemu

import (
	"os"
	"syscall"
	"unsafe"
)

// saveTerminal notes the settings of the terminal f, which QEMU changes, and
// returns a function that puts them back: QEMU does so itself, unless it is
// killed. If f is not a terminal there is nothing to put back.
func saveTerminal(f *os.File) (restore func()) {
	fd := f.Fd()
	settings, err := terminal(fd)
	if err != nil {
		return func() {}
	}
	// QEMU makes its input non-blocking, and the shell shares the file.
	flags, _, flagsErr := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
	return func() {
		// Only what was changed: setting a terminal stops a process that is
		// in the background.
		if now, err := terminal(fd); err == nil && now != settings {
			syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TCSETS, uintptr(unsafe.Pointer(&settings)))
		}
		if flagsErr == 0 {
			syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETFL, flags)
		}
	}
}

// TerminalSize returns the size of the terminal f, in characters; zero when it
// is none, or has none.
func TerminalSize(f *os.File) (rows, columns int) {
	var size struct{ rows, columns, width, height uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, 0
	}
	return int(size.rows), int(size.columns)
}

func terminal(fd uintptr) (settings syscall.Termios, err error) {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TCGETS, uintptr(unsafe.Pointer(&settings)))
	if errno != 0 {
		return settings, errno
	}
	return settings, nil
}
