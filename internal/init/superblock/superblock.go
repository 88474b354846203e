// Package superblock tells file systems on block devices apart, and reads their
// labels and UUIDs: ext2, ext3, ext4, erofs and squashfs.
package superblock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A FileSystem is what its superblock says of it.
type FileSystem struct {
	Type  string // as mount(2) has it: ext4
	Label string // empty for none
	UUID  string // as blkid writes it; empty for none
}

// size is how much of a device is looked at: all superblocks are in it.
const size = 4096

// Probe returns what r holds, or a FileSystem without a Type when that is none
// that is known here.
func Probe(r io.ReaderAt) (FileSystem, error) {
	head := make([]byte, size)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return FileSystem{}, err
	}
	return Parse(head[:n]), nil
}

// Parse returns what the beginning of a device says it holds.
func Parse(head []byte) FileSystem {
	for _, parse := range []func([]byte) (FileSystem, bool){parseSquashFS, parseEROFS, parseExt} {
		if fs, ok := parse(head); ok {
			return fs
		}
	}
	return FileSystem{}
}

// text is a field that NULs fill up.
func text(field []byte) string {
	before, _, _ := bytes.Cut(field, []byte{0})
	return string(before)
}

// uuid writes 16 bytes as blkid does, and none for those of no UUID.
func uuid(b []byte) string {
	if bytes.Equal(b, make([]byte, 16)) {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
