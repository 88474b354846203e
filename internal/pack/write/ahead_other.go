//go:build !linux

package write

import (
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// read reads the file at a location into room, or opens it if it does not fit. It
// does neither where anything is out of the ordinary.
func (c *content) read(location string, room []byte) {
	file, err := source.OpenLocation(location)
	if err != nil {
		return
	}
	if file.Size >= int64(len(room)) {
		c.file = file
		return
	}
	defer file.Close()
	n, err := io.ReadFull(file.Reader, room[:file.Size+1])
	if (err == io.EOF || err == io.ErrUnexpectedEOF) && int64(n) == file.Size {
		c.held, c.bytes, c.mtime = true, room[:n], file.MTime
	}
}
