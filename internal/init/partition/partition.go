// Package partition reads the UUIDs and labels of partitions, which root=PARTUUID=
// and root=PARTLABEL= select, from partition tables. It does not read where
// partitions begin and end: the kernel knows that.
package partition

import (
	"encoding/binary"
	"fmt"
	"io"
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

// Read returns the table of a disk with logical blocks of blockSize bytes. It
// returns the zero Table for a disk without a valid one; an error means that the
// disk could not be read.
func Read(disk io.ReaderAt, blockSize int) (Table, error) {
	const (
		signatureAt = 440
		entriesAt   = 446
		entrySize   = 16
		typeAt      = 4
		magicAt     = 510
		protective  = 0xee // marks a disk with a GPT
	)
	boot := make([]byte, 512)
	if err := readAt(disk, boot, 0); err != nil {
		return Table{}, err
	}
	if binary.LittleEndian.Uint16(boot[magicAt:]) != 0xaa55 {
		return Table{}, nil
	}
	empty := true
	for i := range 4 {
		switch boot[entriesAt+i*entrySize+typeAt] {
		case 0:
		case protective:
			return readGPT(disk, blockSize)
		default:
			empty = false
		}
	}
	if empty {
		return Table{}, nil
	}
	return Table{mbr: true, signature: binary.LittleEndian.Uint32(boot[signatureAt:])}, nil
}

// readAt fills b. Bytes after the end of the disk are zero.
func readAt(disk io.ReaderAt, b []byte, offset int64) error {
	_, err := disk.ReadAt(b, offset)
	if err == io.EOF {
		return nil
	}
	return err
}
