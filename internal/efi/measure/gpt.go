package measure

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errGPT is the error for a disk without a GUID partition table.
var errGPT = errors.New("not a disk with a GUID partition table")

// gptEvent returns what firmware measures of a partition table: its header, how many partitions there
// are, and their entries (UEFI_GPT_DATA; Tcg2MeasureGptTable of DxeTpm2MeasureBootLib in EDK II). The
// blocks of the disk have 512 bytes.
func gptEvent(disk io.ReaderAt) ([]byte, error) {
	const (
		block      = 512
		signature  = "EFI PART"
		headerSize = 92
		maxEntries = 1 << 12
		minEntry   = 128
		maxEntry   = 4096
	)
	header := make([]byte, headerSize)
	if _, err := disk.ReadAt(header, block); err == io.EOF {
		return nil, errGPT
	} else if err != nil {
		return nil, err
	}
	if string(header[:len(signature)]) != signature {
		return nil, errGPT
	}
	at := binary.LittleEndian.Uint64(header[72:])
	n, size := binary.LittleEndian.Uint32(header[80:]), binary.LittleEndian.Uint32(header[84:])
	if at > 1<<40 || n > maxEntries || size < minEntry || size > maxEntry || size%minEntry != 0 {
		return nil, fmt.Errorf("%w: it has %d entries of %d bytes at block %d", errGPT, n, size, at)
	}
	var used []byte
	count := uint64(0)
	entry := make([]byte, size)
	for i := range n {
		if _, err := disk.ReadAt(entry, int64(at)*block+int64(i)*int64(size)); err == io.EOF {
			return nil, fmt.Errorf("%w: it ends within the entries", errGPT)
		} else if err != nil {
			return nil, err
		}
		// An entry without a type is unused.
		if [16]byte(entry) != [16]byte{} {
			count++
			used = append(used, entry...)
		}
	}
	return append(binary.LittleEndian.AppendUint64(header, count), used...), nil
}
