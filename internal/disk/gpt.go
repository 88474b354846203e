package disk

import (
	"encoding/binary"
	"hash/crc32"
	"unicode/utf16"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
)

// The parts of a disk with a GUID partition table (UEFI specification, chapter 5): a protective
// MBR, the header, the table, the partitions, and a copy of the table and of the header.
const (
	sectorSize    = 512
	entrySize     = 128
	entries       = 128
	tableSectors  = entries * entrySize / sectorSize
	headerSize    = 92
	headerSectors = 1
)

// systemPartition is the type of an EFI system partition.
var systemPartition = guid.MustParse("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")

// partitionTable is that of a disk with one partition.
type partitionTable struct {
	sectors         int64 // of the disk
	disk, partition guid.GUID
	start, length   int64 // of the partition, in sectors
	name            string
}

// first returns what the disk begins with.
func (t *partitionTable) first() []byte {
	table := t.table()
	b := t.protectiveMBR()
	b = append(b, t.header(table, headerSectors, t.sectors-1, headerSectors+1)...)
	return append(b, table...)
}

// last returns what the disk ends with.
func (t *partitionTable) last() []byte {
	table := t.table()
	return append(table, t.header(table, t.sectors-1, headerSectors, t.sectors-1-tableSectors)...)
}

// protectiveMBR keeps programs that do not know GPT from taking the disk for an empty one.
func (t *partitionTable) protectiveMBR() []byte {
	b := make([]byte, sectorSize)
	entry := b[446:]
	copy(entry, []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff}) // all of the disk, as cylinders, heads and sectors
	binary.LittleEndian.PutUint32(entry[8:], 1)
	binary.LittleEndian.PutUint32(entry[12:], uint32(min(t.sectors-1, 1<<32-1)))
	binary.LittleEndian.PutUint16(b[sectorSize-2:], 0xaa55)
	return b
}

// table returns the table of partitions.
func (t *partitionTable) table() []byte {
	b := make([]byte, tableSectors*sectorSize)
	copy(b, systemPartition[:])
	copy(b[16:], t.partition[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(t.start))
	binary.LittleEndian.PutUint64(b[40:], uint64(t.start+t.length-1))
	for i, unit := range utf16.Encode([]rune(t.name)) {
		binary.LittleEndian.PutUint16(b[56+2*i:], unit)
	}
	return b
}

// header returns the header at a sector. other is the sector of the other header, and tableAt that of
// the table.
func (t *partitionTable) header(table []byte, at, other, tableAt int64) []byte {
	le := binary.LittleEndian
	b := make([]byte, sectorSize)
	copy(b, "EFI PART")
	le.PutUint32(b[8:], 0x10000) // version 1.0
	le.PutUint32(b[12:], headerSize)
	le.PutUint64(b[24:], uint64(at))
	le.PutUint64(b[32:], uint64(other))
	le.PutUint64(b[40:], headerSectors+1+tableSectors)
	le.PutUint64(b[48:], uint64(t.sectors-headerSectors-tableSectors-1))
	copy(b[56:], t.disk[:])
	le.PutUint64(b[72:], uint64(tableAt))
	le.PutUint32(b[80:], entries)
	le.PutUint32(b[84:], entrySize)
	le.PutUint32(b[88:], crc32.ChecksumIEEE(table))
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b[:headerSize]))
	return b
}
