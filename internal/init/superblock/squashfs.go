package superblock

import "encoding/binary"

// parseSquashFS reads struct squashfs_super_block (fs/squashfs/squashfs_fs.h),
// which has neither label nor UUID.
func parseSquashFS(head []byte) (FileSystem, bool) {
	const (
		sizeOf  = 96
		magic   = 0x73717368 // "hsqs"
		version = 4          // the only version that kernels read
	)
	if len(head) < sizeOf || binary.LittleEndian.Uint32(head) != magic || binary.LittleEndian.Uint16(head[28:]) != version {
		return FileSystem{}, false
	}
	return FileSystem{Type: "squashfs"}, true
}
