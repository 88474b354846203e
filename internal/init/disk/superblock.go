package disk

import (
	"bytes"
	"fmt"
	"io"
)

// A FileSystem is the description that a superblock has.
type FileSystem struct {
	Type  string // the name that mount(2) takes, such as ext4
	Label string // empty for none
	UUID  string // as blkid prints it; empty for none
}

// headSize is the length of the part of a device that has all superblocks.
const headSize = 4096

// superblocks are the ones that this package recognizes: where they are, their size, and a
// function that returns the zero FileSystem for anything else.
var superblocks = []struct {
	offset, size int
	parse        func(sb []byte) FileSystem
}{
	{0, 96, parseSquashFS},
	{1024, 128, parseEROFS},
	{1024, 1024, parseExt},
}

// ReadFileSystem returns the file system on a device: ext2, ext3, ext4, erofs or squashfs.
// Its Type is empty for any other.
func ReadFileSystem(device io.ReaderAt) (FileSystem, error) {
	head := make([]byte, headSize)
	n, err := readAt(device, head, 0)
	if err != nil {
		return FileSystem{}, err
	}
	return parseHead(head[:n]), nil
}

// parseHead returns the file system of a device that begins with head.
func parseHead(head []byte) (fs FileSystem) {
	for _, s := range superblocks {
		if len(head) >= s.offset+s.size && fs.Type == "" {
			fs = s.parse(head[s.offset:][:s.size])
		}
	}
	return fs
}

// parseSquashFS reads struct squashfs_super_block (fs/squashfs/squashfs_fs.h),
// which has neither label nor UUID.
func parseSquashFS(sb []byte) FileSystem {
	const (
		magic   = 0x73717368 // "hsqs"
		version = 4          // the only version that kernels read
	)
	if le.Uint32(sb) != magic || le.Uint16(sb[28:]) != version {
		return FileSystem{}
	}
	return FileSystem{Type: "squashfs"}
}

// parseEROFS reads struct erofs_super_block (fs/erofs/erofs_fs.h).
func parseEROFS(sb []byte) FileSystem {
	const magic = 0xe0f5e1e2
	if blockBits := sb[12]; le.Uint32(sb) != magic || blockBits < 9 || blockBits > 16 {
		return FileSystem{}
	}
	return FileSystem{Type: "erofs", UUID: uuid(sb[48:64]), Label: label(sb[64:80])}
}

// parseExt reads struct ext4_super_block (fs/ext4/ext4.h). The features decide
// between ext2, ext3 and ext4: the drivers of ext2 and ext3 refuse features that
// they do not know.
func parseExt(sb []byte) FileSystem {
	const (
		magic        = 0xef53
		hasJournal   = 0x0004 // compatible feature
		journalDev   = 0x0008 // incompatible feature: an external journal, not a file system
		ext3Incompat = 0x0016 // filetype, recover, meta_bg
		ext3ROCompat = 0x0007 // sparse_super, large_file, btree_dir
	)
	compatible, incompatible, readOnly := le.Uint32(sb[92:]), le.Uint32(sb[96:]), le.Uint32(sb[100:])
	if le.Uint16(sb[56:]) != magic || incompatible&journalDev != 0 {
		return FileSystem{}
	}
	fs := FileSystem{Type: "ext4", UUID: uuid(sb[104:120]), Label: label(sb[120:136])}
	switch {
	case incompatible&^ext3Incompat != 0 || readOnly&^ext3ROCompat != 0:
	case compatible&hasJournal != 0:
		fs.Type = "ext3"
	default:
		fs.Type = "ext2"
	}
	return fs
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
