package progress

import (
	"os"
	"syscall"
	"unsafe"
)

// columns returns the width of a terminal, 0 if it is unknown; ok is false if f
// is no terminal.
func columns(f *os.File) (width int, ok bool) {
	var size struct{ rows, columns, x, y uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	return int(size.columns), errno == 0
}
