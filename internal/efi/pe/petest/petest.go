// Package petest makes EFI executables for tests.
package petest

import "encoding/binary"

// Section is a section of an executable.
type Section struct{ Name, Content string }

// Positions in the headers of the executables.
const (
	FileHeader     = 0x44
	OptionalHeader = FileHeader + 20
	Certificates   = OptionalHeader + 112 + 4*8
	SectionTable   = OptionalHeader + optionalSize
	HeadersSize    = 0x400

	optionalSize = 112 + 16*8
)

// Executable returns an EFI executable for a machine. A section is at a multiple of 0x1000 in memory,
// beginning with 0x1000, and at a multiple of 0x200 in the file, beginning with HeadersSize.
func Executable(machine uint16, sections ...Section) []byte {
	little := binary.LittleEndian
	file := make([]byte, HeadersSize)
	copy(file, "MZ")
	little.PutUint32(file[0x3c:], 0x40)
	copy(file[0x40:], "PE")
	little.PutUint16(file[FileHeader:], machine)
	little.PutUint16(file[FileHeader+2:], uint16(len(sections)))
	little.PutUint16(file[FileHeader+16:], optionalSize)
	little.PutUint16(file[OptionalHeader:], 0x20b)
	little.PutUint32(file[OptionalHeader+32:], 0x1000)      // SectionAlignment
	little.PutUint32(file[OptionalHeader+36:], 0x200)       // FileAlignment
	little.PutUint32(file[OptionalHeader+60:], HeadersSize) // SizeOfHeaders
	little.PutUint16(file[OptionalHeader+68:], 10)          // Subsystem: an EFI application
	little.PutUint16(file[OptionalHeader+70:], 0x160)       // DllCharacteristics, with NX_COMPAT
	little.PutUint32(file[OptionalHeader+108:], 16)         // NumberOfRvaAndSizes
	address := uint32(0x1000)
	for i, s := range sections {
		header := file[SectionTable+i*40:]
		size := (len(s.Content) + 0x1ff) &^ 0x1ff
		copy(header[:8], s.Name)
		little.PutUint32(header[8:], uint32(len(s.Content)))
		little.PutUint32(header[12:], address)
		little.PutUint32(header[16:], uint32(size))
		little.PutUint32(header[20:], uint32(len(file)))
		little.PutUint32(header[36:], 0x40000040) // initialized data that is read
		file = append(append(file, s.Content...), make([]byte, size-len(s.Content))...)
		address += (uint32(len(s.Content)) + 0xfff) &^ 0xfff
	}
	little.PutUint32(file[OptionalHeader+56:], address) // SizeOfImage
	return file
}
