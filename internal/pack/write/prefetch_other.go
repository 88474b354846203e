//go:build !linux

package write

import (
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// read reads the file at a location into buffer, or opens it if it does not fit. It does
// neither if anything is out of the ordinary.
func (c *content) read(e *list.Entry, buffer []byte) {
	file, err := source.OpenContent(e)
	if err != nil {
		return
	}
	if file.Size >= int64(len(buffer)) {
		c.file = file
		return
	}
	defer file.Close()
	n, err := io.ReadFull(file.Reader, buffer[:file.Size+1])
	if (err == io.EOF || err == io.ErrUnexpectedEOF) && int64(n) == file.Size {
		c.held, c.bytes, c.mtime = true, buffer[:n], file.MTime
	}
}
