package superblock

import "encoding/binary"

// parseExt reads struct ext4_super_block (fs/ext4/ext4.h). The features decide
// between ext2, ext3 and ext4: the drivers of ext2 and ext3 refuse features that
// they do not know.
func parseExt(head []byte) (FileSystem, bool) {
	const (
		offset = 1024
		sizeOf = 1024
		magic  = 0xef53

		hasJournal   = 0x0004 // compatible feature
		journalDev   = 0x0008 // incompatible feature: an external journal, not a file system
		ext3Incompat = 0x0016 // filetype, recover, meta_bg
		ext3ROCompat = 0x0007 // sparse_super, large_file, btree_dir
	)
	if len(head) < offset+sizeOf {
		return FileSystem{}, false
	}
	sb := head[offset:]
	if binary.LittleEndian.Uint16(sb[56:]) != magic {
		return FileSystem{}, false
	}
	compatible := binary.LittleEndian.Uint32(sb[92:])
	incompatible := binary.LittleEndian.Uint32(sb[96:])
	readOnly := binary.LittleEndian.Uint32(sb[100:])
	if incompatible&journalDev != 0 {
		return FileSystem{}, false
	}
	fs := FileSystem{Type: "ext4", UUID: uuid(sb[104:120]), Label: label(sb[120:136])}
	switch {
	case incompatible&^ext3Incompat != 0 || readOnly&^ext3ROCompat != 0:
	case compatible&hasJournal != 0:
		fs.Type = "ext3"
	default:
		fs.Type = "ext2"
	}
	return fs, true
}
