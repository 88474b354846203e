package disk

import (
	"bytes"
	"fmt"
	"io"
)

// A FileSystem is the description that a superblock, or the header of a container, has.
type FileSystem struct {
	Type  string // as blkid prints it: the name that mount(2) takes, such as ext4, or a container
	Label string // empty for none
	UUID  string // as blkid prints it; empty for none
}

// containers are the types that cannot be mounted, and what they are.
var containers = map[string]string{
	"LVM2_member":       "a physical volume of LVM",
	"bcache":            "a device of bcache",
	"crypto_LUKS":       "an encrypted container of LUKS",
	"jbd":               "an external journal",
	"linux_raid_member": "a member of a RAID array",
	"swap":              "swap space",
	"swsuspend":         "swap space with a suspended system",
}

// Container says what a device is that has no file system that could be mounted. It is
// empty for a file system.
func (f FileSystem) Container() string { return containers[f.Type] }

// A device is a block device that is being read.
type device struct {
	r    io.ReaderAt
	size int64
	head []byte // the first headSize bytes
}

// headSize is the length of the part of a device that has most superblocks: btrfs has its
// own at 64 KiB.
const headSize = 68 << 10

// at returns n bytes from an offset, or nil if the device has fewer or cannot be read there:
// a drive may be unable to read its last blocks.
func (d *device) at(offset int64, n int) []byte {
	switch end := offset + int64(n); {
	case offset < 0 || end < offset || end > d.size:
		return nil
	case end <= int64(len(d.head)):
		return d.head[offset:end]
	}
	b := make([]byte, n)
	if got, err := readAt(d.r, b, offset); err != nil || got < n {
		return nil
	}
	return b
}

// A format is a kind of superblock: where it is, its size, and a function that returns the
// zero FileSystem for anything else.
type format struct {
	offset, size int
	parse        func(sb []byte, d *device) FileSystem
}

// formats are the ones that this package recognizes. Containers come first, because the
// first bytes of a member of an array can be those of the file system in it.
var formats = []format{
	{0, 0, parseRAIDAtEnd},
	{0, 256, func(_ []byte, d *device) FileSystem { return d.parseRAID(0) }},
	{4096, 256, func(_ []byte, d *device) FileSystem { return d.parseRAID(4096) }},
	{4096, 104, parseBcache},
	{0, 2048, parseLVM},
	{0, 512, parseLUKS},
	{0, 512, parseFAT},
	{0, 4096, parseSwap},
	{0, 8192, parseSwap},
	{0, 16384, parseSwap},
	{0, 32768, parseSwap},
	{0, 65536, parseSwap},
	{0, 128, parseXFS},
	{1024, 1024, parseExt},
	{32768, 2048, parseISO9660},
	{0, 512, parseNTFS},
	{0, 96, parseSquashFS},
	{65536, 4096, parseBtrfs},
	{0, 512, parseExFAT},
	{1024, 1148, parseF2FS},
	{1024, 128, parseEROFS},
}

// ReadFileSystem returns the file system on a device of size bytes, or the container that it
// is. Its Type is empty for any other.
func ReadFileSystem(r io.ReaderAt, size int64) (FileSystem, error) {
	d := &device{r: r, size: size, head: make([]byte, min(size, headSize))}
	n, err := readAt(r, d.head, 0)
	if err != nil {
		return FileSystem{}, err
	}
	d.head = d.head[:n]
	for _, f := range formats {
		if sb := d.at(int64(f.offset), f.size); sb != nil {
			if fs := f.parse(sb, d); fs.Type != "" {
				return fs, nil
			}
		}
	}
	return FileSystem{}, nil
}

// parseSquashFS reads struct squashfs_super_block (fs/squashfs/squashfs_fs.h),
// which has neither label nor UUID.
func parseSquashFS(sb []byte, _ *device) FileSystem {
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
func parseEROFS(sb []byte, _ *device) FileSystem {
	const magic = 0xe0f5e1e2
	if blockBits := sb[12]; le.Uint32(sb) != magic || blockBits < 9 || blockBits > 16 {
		return FileSystem{}
	}
	return FileSystem{Type: "erofs", UUID: uuid(sb[48:64]), Label: label(sb[64:80])}
}

// parseExt reads struct ext4_super_block (fs/ext4/ext4.h). The features decide
// between ext2, ext3 and ext4: the drivers of ext2 and ext3 refuse features that
// they do not know.
func parseExt(sb []byte, _ *device) FileSystem {
	const (
		magic        = 0xef53
		hasJournal   = 0x0004 // compatible feature
		journalDev   = 0x0008 // incompatible feature: an external journal, not a file system
		ext3Incompat = 0x0016 // filetype, recover, meta_bg
		ext3ROCompat = 0x0007 // sparse_super, large_file, btree_dir
	)
	compatible, incompatible, readOnly := le.Uint32(sb[92:]), le.Uint32(sb[96:]), le.Uint32(sb[100:])
	if le.Uint16(sb[56:]) != magic {
		return FileSystem{}
	}
	fs := FileSystem{Type: "ext4", UUID: uuid(sb[104:120]), Label: label(sb[120:136])}
	switch {
	case incompatible&journalDev != 0:
		fs.Type = "jbd"
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
