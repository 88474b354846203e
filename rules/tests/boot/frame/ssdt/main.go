// Command ssdt prints an ACPI table of type SSDT that only defines a name, \RULE. Firmware may have
// any number of these tables, so the kernel adds it to those of the machine.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
)

// header is the header of an ACPI table (ACPI specification 5.2.6). Its checksum makes the sum of all
// bytes of the table 0.
type header struct {
	Signature       [4]byte
	Length          uint32
	Revision        uint8
	Checksum        uint8
	OEMID           [6]byte
	OEMTableID      [8]byte
	OEMRevision     uint32
	CreatorID       [4]byte
	CreatorRevision uint32
}

const checksumOffset = 9

func main() {
	body := []byte("\x08RULE\x01") // Name (RULE, One)
	h := header{
		Signature:  [4]byte([]byte("SSDT")),
		Revision:   2,
		OEMID:      [6]byte([]byte("RULES ")),
		OEMTableID: [8]byte([]byte("INITRAMF")),
		CreatorID:  [4]byte([]byte("TEST")),
	}
	h.Length = uint32(binary.Size(h) + len(body))
	table, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		panic(err)
	}
	table = append(table, body...)
	var sum byte
	for _, b := range table {
		sum += b
	}
	table[checksumOffset] = -sum
	if _, err := os.Stdout.Write(table); err != nil {
		fmt.Fprintln(os.Stderr, "ssdt:", err)
		os.Exit(1)
	}
}
