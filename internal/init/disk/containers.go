package disk

import (
	"bytes"
	"slices"
	"strings"
)

// raidMagic is MD_SB_MAGIC (include/uapi/linux/raid/md_p.h).
const raidMagic = 0xa92b4efc

// parseRAIDAtEnd reads the superblocks of versions 0.90 and 1.0, which are at the end of a
// device.
func parseRAIDAtEnd(_ []byte, d *device) FileSystem {
	const reserved, minorAt = 64 << 10, 8
	if d.size <= reserved {
		return FileSystem{}
	}
	if fs := d.parseRAID(d.size&^0xfff - 8<<10); fs.Type != "" {
		return fs
	}
	sb := d.at(d.size&^(reserved-1)-reserved, 128)
	if sb == nil || le.Uint32(sb) != raidMagic || le.Uint32(sb[4:]) != 0 || le.Uint32(sb[minorAt:]) < 90 {
		return FileSystem{}
	}
	// The superblock of the last partition is also where that of the disk would be.
	if start := d.at(0, 512); start == nil || le.Uint16(start[510:]) == 0xaa55 {
		return FileSystem{}
	}
	id := slices.Concat(sb[20:24], sb[52:64])
	for word := range slices.Chunk(id, 4) { // numbers, which mdadm prints as such
		slices.Reverse(word)
	}
	return FileSystem{Type: "linux_raid_member", UUID: uuid(id)}
}

// parseRAID reads struct mdp_superblock_1 at an offset. Versions 1.1 and 1.2 are at the
// start of a device.
func (d *device) parseRAID(offset int64) FileSystem {
	sb := d.at(offset, 256)
	if sb == nil || le.Uint32(sb) != raidMagic || le.Uint32(sb[4:]) != 1 || le.Uint64(sb[144:]) != uint64(offset)/512 {
		return FileSystem{}
	}
	return FileSystem{Type: "linux_raid_member", UUID: uuid(sb[16:32]), Label: label(sb[32:64])}
}

// parseLVM reads struct label_header of lib/label/label.h, and struct pv_header of
// lib/format_text/layout.h of LVM, in one of the first four sectors.
func parseLVM(sb []byte, _ *device) FileSystem {
	for number := range uint64(4) {
		sector := sb[number*512:][:512]
		if string(sector[:8]) != "LABELONE" || string(sector[24:32]) != "LVM2 001" || le.Uint64(sector[8:]) != number {
			continue
		}
		fs := FileSystem{Type: "LVM2_member"}
		offset := le.Uint32(sector[20:])
		if offset > 512-32 {
			return fs
		}
		id := string(sector[offset : offset+32])
		isLetter := func(c rune) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }
		if strings.TrimFunc(id, isLetter) == "" {
			fs.UUID = strings.Join([]string{id[:6], id[6:10], id[10:14], id[14:18], id[18:22], id[22:26], id[26:]}, "-")
		}
		return fs
	}
	return FileSystem{}
}

// parseLUKS reads the headers of both versions (the LUKS1 On-Disk Format Specification, 2.1,
// and that of LUKS2, 2.1).
func parseLUKS(sb []byte, _ *device) FileSystem {
	if string(sb[:6]) != "LUKS\xba\xbe" {
		return FileSystem{}
	}
	fs := FileSystem{Type: "crypto_LUKS", UUID: label(sb[168:208])}
	if be.Uint16(sb[6:]) == 2 {
		fs.Label = label(sb[24:72])
	}
	return fs
}

// swapSignatures are at the end of the first page. mkswap writes the first two, and a system
// that is suspended to disk one of the others (kernel/power/swap.c and libblkid).
var swapSignatures = map[string]string{
	"SWAPSPACE2": "swap", "SWAP-SPACE": "swap",
	"S1SUSPEND": "swsuspend", "S2SUSPEND": "swsuspend", "ULSUSPEND": "swsuspend", "LINHIB0001": "swsuspend",
}

// parseSwap reads union swap_header (include/linux/swap.h) of a machine with pages of this
// size.
func parseSwap(page []byte, _ *device) FileSystem {
	signature := string(bytes.TrimRight(page[len(page)-10:], "\x00"))
	kind := swapSignatures[signature]
	if kind == "" || signature == "SWAP-SPACE" {
		return FileSystem{Type: kind}
	}
	return FileSystem{Type: kind, UUID: uuid(page[1036:1052]), Label: label(page[1052:1068])}
}
