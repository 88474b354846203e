package write

import (
	"os"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// read reads the file at a location into buffer, or opens it if it does not fit. It does
// neither if anything is out of the ordinary. It calls the system itself: the rest of what
// an os.File does takes longer than reading a small file.
func (c *content) read(e *list.Entry, buffer []byte) {
	location := e.Location
	// Without waiting: it may be a FIFO.
	fd, err := syscall.Open(location, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFREG || stat.Size > cpio.MaxSize {
		syscall.Close(fd)
		return
	}
	if id := (list.FileID{Dev: uint64(stat.Dev), Ino: stat.Ino}); e.OnDisk != (list.FileID{}) && e.OnDisk != id {
		syscall.Close(fd)
		return
	}
	mtime, _ := stat.Mtim.Unix()
	if stat.Size >= int64(len(buffer)) {
		file := os.NewFile(uintptr(fd), location)
		c.file = &source.Content{Name: location, Reader: file, Size: stat.Size, MTime: mtime, File: file}
		return
	}
	n, err := syscall.Read(fd, buffer[:stat.Size+1])
	syscall.Close(fd)
	if err == nil && int64(n) == stat.Size {
		c.held, c.bytes, c.mtime = true, buffer[:n], mtime
	}
}
