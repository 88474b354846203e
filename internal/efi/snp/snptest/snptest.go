// Package snptest makes firmware for tests, with the tables of OVMF for AMD SEV and no code.
package snptest

import (
	"encoding/binary"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
)

// Firmware returns a firmware of 64 KiB. With kernelHashes, it supports hashes of a kernel.
func Firmware(kernelHashes bool) []byte {
	const size, end = 64 << 10, 32
	const hashes, hashesOffset = 0x810000, 0xc00
	le := binary.LittleEndian
	sections := [][3]uint32{{0x800000, 0x9000, 1}, {0x80d000, 0x1000, 2}, {0x80e000, 0x1000, 3}}
	if kernelHashes {
		sections = append(sections, [3]uint32{hashes, 0x1000, 0x10})
	}
	metadata := []byte("ASEV")
	metadata = le.AppendUint32(metadata, uint32(16+12*len(sections)))
	metadata = le.AppendUint32(metadata, 1)
	metadata = le.AppendUint32(metadata, uint32(len(sections)))
	for _, s := range sections {
		for _, field := range s {
			metadata = le.AppendUint32(metadata, field)
		}
	}
	var table []byte
	entry := func(id string, fields ...uint32) {
		for _, field := range fields {
			table = le.AppendUint32(table, field)
		}
		table = le.AppendUint16(table, uint16(4*len(fields)+18))
		g := guid.MustParse(id)
		table = append(table, g[:]...)
	}
	const metadataAt = 0x800
	entry("dc886566-984a-4798-a75e-5585a7bf67cc", size-metadataAt)
	if kernelHashes {
		entry("7255371f-3a3b-4b04-927b-1da6efa8d454", hashes+hashesOffset, 0x400)
	}
	entry("00f771de-1a7e-4fcb-890e-68c77e2fb44e", 0x80b004)
	entry("96b582de-1fb2-45f7-baea-a366c55a082d")
	le.PutUint16(table[len(table)-18:], uint16(len(table)))
	data := make([]byte, size)
	copy(data[metadataAt:], metadata)
	copy(data[size-end-len(table):], table)
	return data
}
