// Package partition reads what partition tables say of partitions: the UUIDs and
// labels that root=PARTUUID= and root=PARTLABEL= ask for. Where partitions begin
// and end the kernel knows.
package partition

import (
	"encoding/binary"
	"fmt"
	"io"
)

// An Entry is what a table says of a partition.
type Entry struct {
	UUID  string // in lower case, as the kernel writes PARTUUID
	Label string // empty for none; only GPT has labels
}

// A Table has the entries of a disk's partitions.
type Table struct {
	// byNumber has those of a GPT, by partition number, which begins with 1.
	byNumber map[int]Entry

	// signature is what the UUIDs of an MBR's partitions begin with.
	signature uint32
	mbr       bool
}

// Entry returns what the table says of partition number n.
func (t *Table) Entry(n int) Entry {
	if t.mbr {
		// block/partitions/msdos.c, set_info.
		return Entry{UUID: fmt.Sprintf("%08x-%02x", t.signature, n)}
	}
	return t.byNumber[n]
}

// Read returns the table of a disk whose logical blocks have blockSize bytes. A
// disk without one that is sound has the zero Table. The error is one of reading.
func Read(disk io.ReaderAt, blockSize int) (Table, error) {
	const (
		signatureAt  = 440
		entriesAt    = 446
		entrySize    = 16
		typeAt       = 4
		magicAt      = 510
		protectiveEE = 0xee // all of the disk is a GPT's
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
		case protectiveEE:
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

// readAt fills b; what is behind the end is zero.
func readAt(disk io.ReaderAt, b []byte, offset int64) error {
	_, err := disk.ReadAt(b, offset)
	if err == io.EOF {
		return nil
	}
	return err
}
