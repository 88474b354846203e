package disk

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

var be = binary.BigEndian

// parseXFS reads struct xfs_dsb (fs/xfs/libxfs/xfs_format.h).
func parseXFS(sb []byte, _ *device) FileSystem {
	blockSize, sectorSize := be.Uint32(sb[4:]), be.Uint16(sb[102:])
	if string(sb[:4]) != "XFSB" || !isPower(uint64(blockSize)) || blockSize < 512 || blockSize > 1<<16 || !isPower(uint64(sectorSize)) {
		return FileSystem{}
	}
	return FileSystem{Type: "xfs", UUID: uuid(sb[32:48]), Label: label(sb[108:120])}
}

// parseBtrfs reads struct btrfs_super_block (include/uapi/linux/btrfs_tree.h).
func parseBtrfs(sb []byte, _ *device) FileSystem {
	const offset = 64 << 10
	if string(sb[64:72]) != "_BHRfS_M" || le.Uint64(sb[48:]) != offset {
		return FileSystem{}
	}
	return FileSystem{Type: "btrfs", UUID: uuid(sb[32:48]), Label: label(sb[299:555])}
}

// parseF2FS reads struct f2fs_super_block (include/linux/f2fs_fs.h).
func parseF2FS(sb []byte, _ *device) FileSystem {
	const magic = 0xf2f52010
	if le.Uint32(sb) != magic {
		return FileSystem{}
	}
	return FileSystem{Type: "f2fs", UUID: uuid(sb[108:124]), Label: partitionName(sb[124:1148])}
}

// parseBcache reads struct bch_sb (fs/bcachefs/bcachefs_format.h) and struct cache_sb
// (drivers/md/bcache/bcache_ondisk.h), which begin in the same way. Early versions of
// bcachefs had the magic of bcache.
func parseBcache(sb []byte, _ *device) FileSystem {
	const (
		bcache        = "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"
		bcachefs      = "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"
		sectorOfCache = 8
	)
	switch magic := string(sb[24:40]); {
	case magic == bcachefs:
		return FileSystem{Type: "bcachefs", UUID: uuid(sb[56:72]), Label: label(sb[72:104])}
	case magic == bcache && le.Uint64(sb[8:]) == sectorOfCache:
		return FileSystem{Type: "bcache", UUID: uuid(sb[40:56]), Label: label(sb[72:104])}
	}
	return FileSystem{}
}

// parseISO9660 reads the first volume descriptor (ECMA-119, 8.4). Its UUID is the time at
// which the volume was changed or made.
func parseISO9660(sb []byte, _ *device) FileSystem {
	if sb[0] != 1 || string(sb[1:6]) != "CD001" {
		return FileSystem{}
	}
	fs := FileSystem{Type: "iso9660", Label: strings.TrimRight(label(sb[40:72]), " ")}
	for _, offset := range []int{830, 813} {
		digits := string(sb[offset : offset+16])
		if strings.Trim(digits, "0123456789") == "" && strings.Trim(digits, "0") != "" {
			fs.UUID = strings.Join([]string{digits[:4], digits[4:6], digits[6:8], digits[8:10], digits[10:12], digits[12:14], digits[14:]}, "-")
			break
		}
	}
	return fs
}

// parseFAT reads struct fat_boot_sector (include/uapi/linux/msdos_fs.h) of FAT12, FAT16 and
// FAT32.
func parseFAT(sb []byte, d *device) FileSystem {
	const (
		sectorSizeAt, clusterSizeAt, reservedAt, fatsAt, entriesAt = 11, 13, 14, 16, 17
		mediaAt, length16At, length32At, rootClusterAt             = 21, 22, 36, 44
		extended16At, extended32At                                 = 38, 66 // 0x29 if an ID and a label follow
		entrySize                                                  = 32
	)
	sectorSize, clusterSize := int64(le.Uint16(sb[sectorSizeAt:])), int64(sb[clusterSizeAt])
	reserved, fats, media := int64(le.Uint16(sb[reservedAt:])), int64(sb[fatsAt]), sb[mediaAt]
	if !isPower(uint64(sectorSize)) || sectorSize < 512 || sectorSize > 4096 || !isPower(uint64(clusterSize)) ||
		reserved == 0 || fats == 0 || media < 0xf8 && media != 0xf0 || sb[510] != 0x55 || sb[511] != 0xaa {
		return FileSystem{}
	}
	// Of JFS and HPFS, the first sector looks like that of FAT.
	if name := string(sb[54:62]); name == "JFS     " || name == "HPFS    " {
		return FileSystem{}
	}
	length, extended := int64(le.Uint16(sb[length16At:])), sb[extended16At:]
	entries := int64(le.Uint16(sb[entriesAt:]))
	root := (reserved + fats*length) * sectorSize
	if length == 0 { // FAT32: the root directory is a file
		if length, extended = int64(le.Uint32(sb[length32At:])), sb[extended32At:]; length == 0 {
			return FileSystem{}
		}
		cluster := int64(le.Uint32(sb[rootClusterAt:]))
		root = (reserved + fats*length + (cluster-2)*clusterSize) * sectorSize
		entries = clusterSize * sectorSize / entrySize
	}
	fs := FileSystem{Type: "vfat"}
	if extended[0] == 0x28 || extended[0] == 0x29 {
		fs.UUID = fmt.Sprintf("%02X%02X-%02X%02X", extended[4], extended[3], extended[2], extended[1])
	}
	if extended[0] == 0x29 {
		fs.Label = fatLabel(extended[5:16])
	}
	if name, ok := fatRootLabel(d.at(root, int(entries*entrySize))); ok {
		fs.Label = name
	}
	return fs
}

// fatRootLabel returns the label in a root directory. Of FAT32, dir is its first cluster:
// mkfs writes the label to its first entry.
func fatRootLabel(dir []byte) (name string, ok bool) {
	const (
		size, attributesAt, clusterHighAt, clusterLowAt = 32, 11, 20, 26
		isLabel, kind, free                             = 0x08, 0x18, 0xe5
		longName                                        = 0x0f
	)
	for ; len(dir) >= size && dir[0] != 0; dir = dir[size:] {
		attributes := dir[attributesAt]
		if dir[0] != free && attributes&0x3f != longName && attributes&kind == isLabel &&
			le.Uint16(dir[clusterHighAt:]) == 0 && le.Uint16(dir[clusterLowAt:]) == 0 {
			return fatLabel(dir[:11]), true
		}
	}
	return "", false
}

// fatLabel decodes a label that is padded with blanks.
func fatLabel(field []byte) string {
	if text := strings.TrimRight(label(field), " "); text != "NO NAME" {
		return text
	}
	return ""
}

// parseExFAT reads the boot sector (the exFAT specification, 3.1). The label is in the root
// directory (7.3).
func parseExFAT(sb []byte, d *device) FileSystem {
	sectorBits, clusterBits := sb[108], sb[109]
	if string(sb[3:11]) != "EXFAT   " || sectorBits < 9 || sectorBits > 12 || sectorBits+clusterBits > 25 {
		return FileSystem{}
	}
	fs := FileSystem{Type: "exfat", UUID: fmt.Sprintf("%02X%02X-%02X%02X", sb[103], sb[102], sb[101], sb[100])}
	heap, root := int64(le.Uint32(sb[88:])), int64(le.Uint32(sb[96:]))
	const entries, size, labelEntry, maxUnits = 64, 32, 0x83, 11
	dir := d.at((heap+(root-2)<<clusterBits)<<sectorBits, min(entries*size, 1<<(sectorBits+clusterBits)))
	for ; len(dir) >= size && dir[0] != 0; dir = dir[size:] {
		if units := int(dir[1]); dir[0] == labelEntry && units <= maxUnits {
			fs.Label = partitionName(dir[2 : 2+2*units])
			break
		}
	}
	return fs
}

// parseNTFS reads struct NTFS_BOOT (fs/ntfs3/ntfs.h). Its label is in a file.
func parseNTFS(sb []byte, _ *device) FileSystem {
	if string(sb[3:11]) != "NTFS    " || sb[510] != 0x55 || sb[511] != 0xaa {
		return FileSystem{}
	}
	return FileSystem{Type: "ntfs", UUID: fmt.Sprintf("%016X", le.Uint64(sb[72:]))}
}

func isPower(n uint64) bool { return bits.OnesCount64(n) == 1 }
