package partition

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

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
	if err := readAt(disk, header, int64(blockSize)); err != nil {
		return Table{}, err
	}
	headerSize := binary.LittleEndian.Uint32(header[12:])
	if string(header[:8]) != "EFI PART" || headerSize < headerMinimum || headerSize > uint32(blockSize) {
		return Table{}, nil
	}
	sum := binary.LittleEndian.Uint32(header[16:])
	copy(header[16:20], []byte{0, 0, 0, 0})
	if crc32.ChecksumIEEE(header[:headerSize]) != sum {
		return Table{}, nil
	}

	first := binary.LittleEndian.Uint64(header[72:])
	count := binary.LittleEndian.Uint32(header[80:])
	entrySize := binary.LittleEndian.Uint32(header[84:])
	length := uint64(count) * uint64(entrySize)
	if entrySize < entryMinimum || length > maxTableSize || first > 1<<40 {
		return Table{}, nil
	}
	entries := make([]byte, length)
	if err := readAt(disk, entries, int64(first)*int64(blockSize)); err != nil {
		return Table{}, err
	}
	if crc32.ChecksumIEEE(entries) != binary.LittleEndian.Uint32(header[88:]) {
		return Table{}, nil
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
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x",
		binary.LittleEndian.Uint32(b),
		binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]),
		b[8:10], b[10:16])
}

// partitionName decodes UTF-16 up to the first NUL.
func partitionName(b []byte) string {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		unit := binary.LittleEndian.Uint16(b)
		if unit == 0 {
			break
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units))
}
