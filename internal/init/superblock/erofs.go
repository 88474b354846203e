package superblock

import "encoding/binary"

// parseEROFS reads struct erofs_super_block (fs/erofs/erofs_fs.h).
func parseEROFS(head []byte) (FileSystem, bool) {
	const (
		offset = 1024
		sizeOf = 128
		magic  = 0xe0f5e1e2
	)
	if len(head) < offset+sizeOf {
		return FileSystem{}, false
	}
	sb := head[offset:]
	blockBits := sb[12]
	if binary.LittleEndian.Uint32(sb) != magic || blockBits < 9 || blockBits > 16 {
		return FileSystem{}, false
	}
	return FileSystem{Type: "erofs", UUID: uuid(sb[48:64]), Label: label(sb[64:80])}, true
}
