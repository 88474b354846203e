//go:build !linux

package pack

import "io"

// read reads the file at a location into room, or opens it if it does not fit. It
// does neither where anything is out of the ordinary.
func (c *content) read(location string, room []byte) {
	file, err := openLocation(location)
	if err != nil {
		return
	}
	if file.size >= int64(len(room)) {
		c.file = file
		return
	}
	defer file.Close()
	n, err := io.ReadFull(file.reader, room[:file.size+1])
	if (err == io.EOF || err == io.ErrUnexpectedEOF) && int64(n) == file.size {
		c.held, c.bytes, c.mtime = true, room[:n], file.mtime
	}
}
