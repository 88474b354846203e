package modules

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errNoELF reports a file that Strip cannot read.
var errNoELF = errors.New("not a relocatable ELF file")

// debugSections begin the names of sections that hold debug information, which the kernel does
// not load. Its own tools do not read them from a module either: they have .BTF, which stays.
var debugSections = []string{".debug", ".zdebug", ".gdb_index", ".gnu.debuglto_", ".stab"}

// stripDebug returns a module, which has no signature, without its debug information. The
// sections that held it stay in the table of sections, unused (SHT_NULL), so that symbols and
// relocations keep their numbers: the kernel skips them (elf_validity_cache_sechdrs in
// kernel/module/main.c). It returns the module itself if it has none.
func stripDebug(module []byte) ([]byte, error) {
	s, err := readSections(module)
	if err != nil {
		return nil, err
	}
	drop := make([]bool, s.count)
	found := false
	for i := range s.count {
		if s.flags(i)&uint64(elf.SHF_ALLOC) == 0 && isDebug(s.name(i)) {
			drop[i], found = true, true
		}
	}
	if !found {
		return module, nil
	}
	// The sections stay in the order of their contents.
	out := append([]byte{}, module[:s.headerSize]...)
	table := append([]byte{}, module[s.table:s.table+uint64(s.count*s.entrySize)]...)
	moved := &sections{data: table, order: s.order, long: s.long, entrySize: s.entrySize, count: s.count}
	for _, i := range s.byOffset() {
		switch {
		case drop[i]:
			clear(moved.header(i))
			continue
		case s.kind(i) == elf.SHT_NULL:
			continue
		}
		for align := max(s.align(i), 1); uint64(len(out))%align != 0; {
			out = append(out, 0)
		}
		moved.setOffset(i, uint64(len(out)))
		if s.kind(i) != elf.SHT_NOBITS {
			out = append(out, module[s.offset(i):s.offset(i)+s.size(i)]...)
		}
		// Sections that share their contents could make the file much larger.
		if len(out) > 2*len(module)+s.count*maxAlign/512 {
			return nil, fmt.Errorf("%w: its sections overlap", errNoELF)
		}
	}
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	if s.long {
		s.order.PutUint64(out[40:], uint64(len(out)))
	} else {
		s.order.PutUint32(out[32:], uint32(len(out)))
	}
	return append(out, table...), nil
}

// isDebug reports whether a section, or the one that its relocations are for, holds debug
// information.
func isDebug(name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(name, ".rela"), ".rel")
	for _, prefix := range debugSections {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// sections is the table of sections of an ELF file.
type sections struct {
	data             []byte // where header begins to count
	order            binary.ByteOrder
	long             bool   // 64 bits
	table            uint64 // the offset of the table in data
	headerSize       int    // of the file
	entrySize, count int
	names            []byte
}

// maxAlign is the largest alignment of a section, in bytes: that of a huge page.
const maxAlign = 2 << 20

// readSections reads the table of a relocatable ELF file, and checks that all sections are in
// the file.
func readSections(data []byte) (*sections, error) {
	if len(data) < 52 || string(data[:4]) != elf.ELFMAG {
		return nil, errNoELF
	}
	s := &sections{data: data, long: data[elf.EI_CLASS] == byte(elf.ELFCLASS64), headerSize: 52, entrySize: 40}
	switch elf.Data(data[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		s.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		s.order = binary.BigEndian
	default:
		return nil, errNoELF
	}
	counts := data[46:]
	if s.long {
		if s.headerSize, s.entrySize = 64, 64; len(data) < 64 {
			return nil, errNoELF
		}
		s.table, counts = s.order.Uint64(data[40:]), data[58:]
	} else {
		s.table = uint64(s.order.Uint32(data[32:]))
	}
	s.count = int(s.order.Uint16(counts[2:]))
	names := int(s.order.Uint16(counts[4:]))
	size := uint64(len(data))
	switch {
	case elf.Type(s.order.Uint16(data[16:])) != elf.ET_REL:
		return nil, errNoELF
	case int(s.order.Uint16(counts)) != s.entrySize, s.count == 0, names >= s.count,
		s.table < uint64(s.headerSize), s.table > size, uint64(s.count*s.entrySize) > size-s.table:
		return nil, fmt.Errorf("%w: its table of sections is damaged", errNoELF)
	}
	for i := range s.count {
		if s.kind(i) == elf.SHT_NULL || s.kind(i) == elf.SHT_NOBITS {
			continue
		}
		if s.offset(i) > size || s.size(i) > size-s.offset(i) || s.align(i) > maxAlign {
			return nil, fmt.Errorf("%w: section %d is not in the file", errNoELF, i)
		}
	}
	if s.kind(names) == elf.SHT_STRTAB {
		s.names = data[s.offset(names) : s.offset(names)+s.size(names)]
	}
	return s, nil
}

func (s *sections) header(i int) []byte {
	return s.data[s.table+uint64(i*s.entrySize):][:s.entrySize]
}

// word returns the number of the size of an address that is n such numbers after the first two
// fields of a header.
func (s *sections) word(i, n int) uint64 {
	if s.long {
		return s.order.Uint64(s.header(i)[8+8*n:])
	}
	return uint64(s.order.Uint32(s.header(i)[8+4*n:]))
}

func (s *sections) kind(i int) elf.SectionType {
	return elf.SectionType(s.order.Uint32(s.header(i)[4:]))
}
func (s *sections) flags(i int) uint64  { return s.word(i, 0) }
func (s *sections) offset(i int) uint64 { return s.word(i, 2) }
func (s *sections) size(i int) uint64   { return s.word(i, 3) }

func (s *sections) setOffset(i int, offset uint64) {
	if s.long {
		s.order.PutUint64(s.header(i)[24:], offset)
	} else {
		s.order.PutUint32(s.header(i)[16:], uint32(offset))
	}
}

// align is after sh_link and sh_info, which have 4 bytes each in both classes.
func (s *sections) align(i int) uint64 {
	if s.long {
		return s.order.Uint64(s.header(i)[48:])
	}
	return uint64(s.order.Uint32(s.header(i)[32:]))
}

func (s *sections) name(i int) string {
	start := s.order.Uint32(s.header(i))
	if uint64(start) >= uint64(len(s.names)) {
		return ""
	}
	name, _, _ := bytes.Cut(s.names[start:], []byte{0})
	return string(name)
}

// byOffset returns the numbers of the sections in the order of their contents.
func (s *sections) byOffset() []int {
	order := make([]int, s.count)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.offset(a), s.offset(b)) })
	return order
}
