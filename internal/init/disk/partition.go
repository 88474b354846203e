// Package disk reads what block devices say about themselves: the UUIDs and labels that
// select a root file system. It does not read where partitions begin and end: the kernel
// knows that.
package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

// An Entry is a table's description of a partition.
type Entry struct {
	UUID  string // in lower case, as the kernel prints it
	Label string // only a GPT has labels
}

// A Table is the partition table of a disk.
type Table struct {
	// byNumber has the entries of a GPT. The first partition has number 1.
	byNumber map[int]Entry

	// signature is the first part of the UUIDs of an MBR's partitions.
	signature uint32
	mbr       bool
}

// Entry returns the entry of partition number n.
func (t *Table) Entry(n int) Entry {
	if t.mbr {
		// set_info of block/partitions/msdos.c.
		return Entry{UUID: fmt.Sprintf("%08x-%02x", t.signature, n)}
	}
	return t.byNumber[n]
}

// ReadTable returns the partition table of a disk with logical blocks of blockSize bytes.
// It returns the zero Table for a disk without a valid one; an error means that the disk
// could not be read.
func ReadTable(disk io.ReaderAt, blockSize int) (Table, error) {
	const (
		signatureAt = 440
		entriesAt   = 446
		entrySize   = 16
		typeAt      = 4
		magicAt     = 510
		protective  = 0xee // marks a disk with a GPT
	)
	boot := make([]byte, 512)
	if _, err := readAt(disk, boot, 0); err != nil || le.Uint16(boot[magicAt:]) != 0xaa55 {
		return Table{}, err
	}
	var t Table
	for i := range 4 {
		switch boot[entriesAt+i*entrySize+typeAt] {
		case 0:
		case protective:
			return readGPT(disk, blockSize)
		default:
			t = Table{mbr: true, signature: le.Uint32(boot[signatureAt:])}
		}
	}
	return t, nil
}

// le is the byte order of all tables and superblocks.
var le = binary.LittleEndian

// readAt fills b, and returns how many bytes are from the disk. Those after its end are zero.
func readAt(disk io.ReaderAt, b []byte, offset int64) (int, error) {
	n, err := disk.ReadAt(b, offset)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

const (
	// UEFI specification, 5.3.2 and 5.3.3.
	headerMinimum = 92
	entryMinimum  = 128

	// maxTableSize bounds the memory for a table, which usually has 16 KiB.
	maxTableSize = 1 << 20
)

// readGPT reads the primary table. Like the kernel (block/partitions/efi.c), it
// ignores a table with a wrong checksum, and does not read the backup, which the
// kernel reads only if gpt is on its command line.
func readGPT(disk io.ReaderAt, blockSize int) (Table, error) {
	if blockSize < 512 || blockSize > 1<<16 {
		return Table{}, nil
	}
	header := make([]byte, blockSize)
	if _, err := readAt(disk, header, int64(blockSize)); err != nil {
		return Table{}, err
	}
	size, sum := le.Uint32(header[12:]), le.Uint32(header[16:])
	if string(header[:8]) != "EFI PART" || size < headerMinimum || size > uint32(blockSize) {
		return Table{}, nil
	}
	clear(header[16:20])
	if crc32.ChecksumIEEE(header[:size]) != sum {
		return Table{}, nil
	}
	first, count, entrySize := le.Uint64(header[72:]), le.Uint32(header[80:]), le.Uint32(header[84:])
	length := uint64(count) * uint64(entrySize)
	if entrySize < entryMinimum || length > maxTableSize || first > 1<<40 {
		return Table{}, nil
	}
	entries := make([]byte, length)
	_, err := readAt(disk, entries, int64(first)*int64(blockSize))
	if err != nil || crc32.ChecksumIEEE(entries) != le.Uint32(header[88:]) {
		return Table{}, err
	}
	t := Table{byNumber: map[int]Entry{}}
	for i := range int(count) {
		e := entries[i*int(entrySize):][:entryMinimum]
		if unused := make([]byte, 16); !bytes.Equal(e[:16], unused) {
			t.byNumber[i+1] = Entry{UUID: guid(e[16:32]), Label: partitionName(e[56:128])}
		}
	}
	return t, nil
}

// guid returns the text of a GUID, whose first three fields are little-endian.
func guid(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}

// partitionName decodes UTF-16 up to the first NUL.
func partitionName(b []byte) string {
	var units []uint16
	for ; len(b) >= 2 && le.Uint16(b) != 0; b = b[2:] {
		units = append(units, le.Uint16(b))
	}
	return string(utf16.Decode(units))
}
