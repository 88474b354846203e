package modules

import (
	"bytes"
	stdelf "debug/elf"
	"encoding/binary"
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
)

// sections is the table of sections of a relocatable ELF file, which has them all.
type sections struct {
	data  []byte // where header begins to count
	order binary.ByteOrder
	long  bool // 64 bits
	arch  elf.Arch

	table            uint64 // the offset of the table in data
	headerSize       int    // of the file
	entrySize, count int
	names            []byte // texts with a NUL after each
}

// readSections reads the table of sections. An error wraps ErrNotModule or ErrDamaged.
func readSections(data []byte) (*sections, error) {
	if len(data) < 20 || string(data[:4]) != stdelf.ELFMAG {
		return nil, fmt.Errorf("%w: it is not an ELF file", ErrNotModule)
	}
	s := &sections{data: data, headerSize: 52, entrySize: 40}
	s.arch = elf.Arch{Class: stdelf.Class(data[stdelf.EI_CLASS]), Data: stdelf.Data(data[stdelf.EI_DATA])}
	switch s.arch.Data {
	case stdelf.ELFDATA2LSB:
		s.order = binary.LittleEndian
	case stdelf.ELFDATA2MSB:
		s.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("%w: its ELF header has no byte order", ErrDamaged)
	}
	switch s.arch.Class {
	case stdelf.ELFCLASS32:
	case stdelf.ELFCLASS64:
		s.long, s.headerSize, s.entrySize = true, 64, 64
	default:
		return nil, fmt.Errorf("%w: its ELF header has no class", ErrDamaged)
	}
	if len(data) < s.headerSize {
		return nil, fmt.Errorf("%w: it ends within its ELF header", ErrDamaged)
	}
	if kind := stdelf.Type(s.order.Uint16(data[16:])); kind != stdelf.ET_REL {
		return nil, fmt.Errorf("%w: it is an ELF file of type %v", ErrNotModule, kind)
	}
	s.arch.Machine = stdelf.Machine(s.order.Uint16(data[18:]))
	return s, s.readTable()
}

// readTable reads where the table is, and checks that all sections are in the file. Only one
// without content, such as .bss, may be longer than the file.
func (s *sections) readTable() error {
	counts := s.data[46:]
	s.table = s.number(s.data[32:])
	if s.long {
		s.table, counts = s.number(s.data[40:]), s.data[58:]
	}
	entrySize, names := int(s.order.Uint16(counts)), int(s.order.Uint16(counts[4:]))
	s.count = int(s.order.Uint16(counts[2:]))
	if entrySize != s.entrySize {
		return fmt.Errorf("%w: its section headers have %d bytes each: want %d", ErrDamaged, entrySize, s.entrySize)
	}
	if total, size := uint64(len(s.data)), uint64(s.count*s.entrySize); s.table > total || size > total-s.table {
		return fmt.Errorf("%w: it ends before its section headers", ErrDamaged)
	}
	if names == 0 || names >= s.count {
		return fmt.Errorf("%w: its sections have no names", ErrDamaged)
	}
	for i := 1; i < s.count; i++ {
		offset, size, total := s.offset(i), s.size(i), uint64(len(s.data))
		if s.hasContent(i) && (offset > total || size > total-offset) {
			return fmt.Errorf("%w: its section %d, %d bytes at byte %d, would end after the file, which has %d bytes", ErrDamaged, i, size, offset, total)
		}
	}
	s.names = s.content(names)
	for i := 1; i < s.count; i++ {
		if _, ok := text(s.names, uint64(s.order.Uint32(s.header(i)))); !ok {
			return fmt.Errorf("%w: the name of its section %d is not in the table of names", ErrDamaged, i)
		}
	}
	return nil
}

func (s *sections) header(i int) []byte {
	return s.data[s.table+uint64(i*s.entrySize):][:s.entrySize]
}

// number reads a number of the size of an address.
func (s *sections) number(b []byte) uint64 {
	if s.long {
		return s.order.Uint64(b)
	}
	return uint64(s.order.Uint32(b))
}

// field returns the number of the size of an address that is n such numbers after the first two
// fields of a header.
func (s *sections) field(i, n int) uint64 {
	if s.long {
		return s.number(s.header(i)[8+8*n:])
	}
	return s.number(s.header(i)[8+4*n:])
}

func (s *sections) kind(i int) stdelf.SectionType {
	return stdelf.SectionType(s.order.Uint32(s.header(i)[4:]))
}
func (s *sections) flags(i int) uint64  { return s.field(i, 0) }
func (s *sections) offset(i int) uint64 { return s.field(i, 2) }
func (s *sections) size(i int) uint64   { return s.field(i, 3) }

// align is after sh_link and sh_info, which have 4 bytes each in both classes.
func (s *sections) align(i int) uint64 {
	if s.long {
		return s.number(s.header(i)[48:])
	}
	return s.number(s.header(i)[32:])
}

func (s *sections) setOffset(i int, offset uint64) {
	if s.long {
		s.order.PutUint64(s.header(i)[24:], offset)
	} else {
		s.order.PutUint32(s.header(i)[16:], uint32(offset))
	}
}

func (s *sections) name(i int) string {
	name, _ := text(s.names, uint64(s.order.Uint32(s.header(i))))
	return string(name)
}

func (s *sections) hasContent(i int) bool {
	kind := s.kind(i)
	return kind != stdelf.SHT_NOBITS && kind != stdelf.SHT_NULL
}

// content returns the content of a section in the file. It returns nil if the section has
// none, or does not exist.
func (s *sections) content(i int) []byte {
	if i <= 0 || i >= s.count || !s.hasContent(i) {
		return nil
	}
	end := s.offset(i) + s.size(i)
	return s.data[s.offset(i):end:end]
}

// text returns the text at an offset of a table of texts with a NUL after each, and reports
// whether there is one.
func text(table []byte, offset uint64) ([]byte, bool) {
	if offset >= uint64(len(table)) {
		return nil, false
	}
	end := bytes.IndexByte(table[offset:], 0)
	if end < 0 {
		return nil, false
	}
	return table[offset : offset+uint64(end)], true
}
