// Package superblock recognizes ext2, ext3, ext4, erofs and squashfs on block
// devices, and reads their labels and UUIDs.
package superblock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A FileSystem is the description that a superblock has.
type FileSystem struct {
	Type  string // the name that mount(2) takes, such as ext4
	Label string // empty for none
	UUID  string // as blkid prints it; empty for none
}

// size is the length of the part of a device that has all superblocks.
const size = 4096

// Probe returns the file system on r. Its Type is empty if this package does not
// recognize it.
func Probe(r io.ReaderAt) (FileSystem, error) {
	head := make([]byte, size)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return FileSystem{}, err
	}
	return Parse(head[:n]), nil
}

// Parse returns the file system of a device that begins with head.
func Parse(head []byte) FileSystem {
	for _, parse := range []func([]byte) (FileSystem, bool){parseSquashFS, parseEROFS, parseExt} {
		if fs, ok := parse(head); ok {
			return fs
		}
	}
	return FileSystem{}
}

// label decodes a field that is padded with NULs.
func label(field []byte) string {
	before, _, _ := bytes.Cut(field, []byte{0})
	return string(before)
}

// uuid formats 16 bytes as blkid does. It returns an empty string if all are zero.
func uuid(b []byte) string {
	if bytes.Equal(b, make([]byte, 16)) {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
