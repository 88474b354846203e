// Gptdisk writes a disk with a GUID partition table and one partition that holds the
// content of a file.
//
//	gptdisk FROM TO
package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"unicode/utf16"
)

const (
	block        = 512
	entries      = 128
	entrySize    = 128
	tableBlocks  = entries * entrySize / block
	firstUsable  = 2 + tableBlocks
	label        = "guest root"
	headerLength = 92
)

// GUIDs as they are on disk: the first three fields little-endian.
var (
	linux     = [16]byte{0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4}
	disk      = [16]byte{0x01}
	partition = [16]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
)

func main() {
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gptdisk:", err)
		os.Exit(1)
	}
}

func write(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	blocks := (len(content) + block - 1) / block
	content = slices.Concat(content, make([]byte, blocks*block-len(content)))
	lastUsable := uint64(firstUsable + blocks - 1)
	last := lastUsable + tableBlocks + 1

	table := make([]byte, entries*entrySize)
	copy(table, linux[:])
	copy(table[16:], partition[:])
	binary.LittleEndian.PutUint64(table[32:], firstUsable)
	binary.LittleEndian.PutUint64(table[40:], lastUsable)
	for i, unit := range utf16.Encode([]rune(label)) {
		binary.LittleEndian.PutUint16(table[56+2*i:], unit)
	}
	return os.WriteFile(to, slices.Concat(
		protective(last),
		header(1, last, 2, lastUsable, table), table,
		content,
		table, header(last, 1, lastUsable+1, lastUsable, table),
	), 0o644)
}

// protective returns an MBR whose only partition is the whole disk.
func protective(last uint64) []byte {
	mbr := make([]byte, block)
	entry := mbr[446:]
	entry[4] = 0xee
	binary.LittleEndian.PutUint32(entry[8:], 1)
	binary.LittleEndian.PutUint32(entry[12:], uint32(last))
	mbr[510], mbr[511] = 0x55, 0xaa
	return mbr
}

func header(own, other, tableAt, lastUsable uint64, table []byte) []byte {
	h := make([]byte, block)
	copy(h, "EFI PART\x00\x00\x01\x00")
	binary.LittleEndian.PutUint32(h[12:], headerLength)
	binary.LittleEndian.PutUint64(h[24:], own)
	binary.LittleEndian.PutUint64(h[32:], other)
	binary.LittleEndian.PutUint64(h[40:], firstUsable)
	binary.LittleEndian.PutUint64(h[48:], lastUsable)
	copy(h[56:], disk[:])
	binary.LittleEndian.PutUint64(h[72:], tableAt)
	binary.LittleEndian.PutUint32(h[80:], entries)
	binary.LittleEndian.PutUint32(h[84:], entrySize)
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(table))
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:headerLength]))
	return h
}
