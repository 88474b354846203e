// Package variablestest makes stores of UEFI variables for tests, which need no firmware then.
package variablestest

import (
	"bytes"
	"encoding/binary"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
)

// Sizes of headers, in bytes.
const (
	VolumeHeader = 72
	StoreHeader  = 28
)

// Empty returns a firmware volume whose store has no variables, and room for some bytes of them.
func Empty(room int) []byte {
	volumeGUID := guid.MustParse("fff12b8d-7696-4c8b-a985-2747075b4f50")
	storeGUID := guid.MustParse("aaf32c78-947b-439a-a180-2e144ec37792")
	le := binary.LittleEndian
	length := VolumeHeader + StoreHeader + room
	b := make([]byte, VolumeHeader)
	copy(b[16:], volumeGUID[:])
	le.PutUint64(b[32:], uint64(length))
	copy(b[40:], "_FVH")
	le.PutUint16(b[48:], VolumeHeader)
	b[55] = 2 // revision
	le.PutUint32(b[56:], 1)
	le.PutUint32(b[60:], uint32(length))
	SetChecksum(b)
	b = append(b, storeGUID[:]...)
	b = le.AppendUint32(b, uint32(StoreHeader+room))
	b = append(b, 0x5a, 0xfe, 0, 0, 0, 0, 0, 0)
	return append(b, bytes.Repeat([]byte{0xff}, room)...)
}

// SetChecksum sets the checksum of a volume's header.
func SetChecksum(b []byte) {
	const at = 50
	le := binary.LittleEndian
	le.PutUint16(b[at:], 0)
	sum := uint16(0)
	for i := 0; i < VolumeHeader; i += 2 {
		sum += le.Uint16(b[i:])
	}
	le.PutUint16(b[at:], -sum)
}
