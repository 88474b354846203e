package write

import (
	"os"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// read reads the file at a location into room, or opens it if it does not fit. It
// does neither where anything is out of the ordinary. It calls the system itself: what
// an os.File does besides takes longer than to read a small file.
func (c *content) read(location string, room []byte) {
	// Not waiting: there may be a FIFO.
	fd, err := syscall.Open(location, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFREG || stat.Size > cpio.MaxSize {
		syscall.Close(fd)
		return
	}
	mtime, _ := stat.Mtim.Unix()
	if stat.Size >= int64(len(room)) {
		file := os.NewFile(uintptr(fd), location)
		c.file = &source.Content{Name: location, Reader: file, Size: stat.Size, MTime: mtime, File: file}
		return
	}
	n, err := syscall.Read(fd, room[:stat.Size+1])
	syscall.Close(fd)
	if err == nil && int64(n) == stat.Size {
		c.held, c.bytes, c.mtime = true, room[:n], mtime
	}
}
