package modules

import (
	"bytes"
	stdelf "debug/elf"
	"encoding/binary"
	"strings"
)

// ko is a kernel module that a test makes.
type ko struct {
	machine stdelf.Machine // x86-64 if it is 0
	short   bool           // 32 bits
	big     bool           // big-endian
	info    []string
	exports []string // with checksums
	strings []string // exported without checksums
	imports []string // a weak one begins with ?
}

// crcOf is the checksum of a symbol's type, which depends on its name only.
func crcOf(name string) uint32 { return uint32(len(name))<<8 | uint32(name[0]) }

// bytes returns the module as an ELF file with the sections that depmod reads.
func (k ko) bytes() []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	data, class := stdelf.ELFDATA2LSB, stdelf.ELFCLASS64
	if k.big {
		order, data = binary.BigEndian, stdelf.ELFDATA2MSB
	}
	if k.short {
		class = stdelf.ELFCLASS32
	}
	word := func(b []byte, n uint64) []byte {
		if k.short {
			return order.AppendUint32(b, uint32(n))
		}
		return order.AppendUint64(b, n)
	}
	names := []byte{0}
	symbols := make([]byte, 16)
	if !k.short {
		symbols = make([]byte, 24)
	}
	symbol := func(name string, binding stdelf.SymBind, section uint16, value uint64) {
		symbols = order.AppendUint32(symbols, uint32(len(names)))
		names = append(names, name+"\x00"...)
		info := byte(binding << 4)
		if k.short {
			symbols = word(word(symbols, value), 0)
			symbols = order.AppendUint16(append(symbols, info, 0), section)
		} else {
			symbols = order.AppendUint16(append(symbols, info, 0), section)
			symbols = word(word(symbols, value), 0)
		}
	}
	var crcs, versions []byte
	const crcSection = 6
	for _, name := range k.exports {
		symbol(crcPrefix+name, stdelf.STB_LOCAL, crcSection, uint64(len(crcs)))
		crcs = order.AppendUint32(crcs, crcOf(name))
	}
	for _, name := range append([]string{"module_layout"}, k.imports...) {
		name, weak := strings.CutPrefix(name, "?")
		row := word(nil, uint64(crcOf(name)))
		row = append(row, name...)
		versions = append(versions, append(row, make([]byte, versionSize-len(row))...)...)
		switch {
		case name == "module_layout":
		case weak:
			symbol(name, stdelf.STB_WEAK, 0, 0)
		default:
			symbol(name, stdelf.STB_GLOBAL, 0, 0)
		}
	}
	sections := []struct {
		name    string
		kind    stdelf.SectionType
		content []byte
	}{
		{},
		{".modinfo", stdelf.SHT_PROGBITS, []byte(strings.Join(k.info, "\x00") + "\x00")},
		{".symtab", stdelf.SHT_SYMTAB, symbols},
		{".strtab", stdelf.SHT_STRTAB, names},
		{"__versions", stdelf.SHT_PROGBITS, versions},
		{"__ksymtab_strings", stdelf.SHT_PROGBITS, []byte(strings.Join(k.strings, "\x00") + "\x00")},
		{"__kcrctab", stdelf.SHT_PROGBITS, crcs},
		{".bss", stdelf.SHT_NOBITS, nil},
		{".shstrtab", stdelf.SHT_STRTAB, nil},
	}
	var sectionNames []byte
	for _, s := range sections {
		sectionNames = append(sectionNames, s.name+"\x00"...)
	}
	sections[len(sections)-1].content = sectionNames
	headerSize, sectionSize := 64, 64
	if k.short {
		headerSize, sectionSize = 52, 40
	}
	var contents, headers []byte
	nameAt := 0
	for _, s := range sections {
		headers = order.AppendUint32(headers, uint32(nameAt))
		headers = order.AppendUint32(headers, uint32(s.kind))
		headers = word(word(headers, 0), 0)
		headers = word(headers, uint64(headerSize+len(contents)))
		size := uint64(len(s.content))
		if s.kind == stdelf.SHT_NOBITS {
			size = 1 << 30
		}
		headers = word(headers, size)
		headers = order.AppendUint32(order.AppendUint32(headers, 0), 0)
		headers = word(word(headers, 0), 0)
		contents = append(contents, s.content...)
		nameAt += len(s.name) + 1
	}
	machine := k.machine
	if machine == 0 {
		machine = stdelf.EM_X86_64
	}
	file := append([]byte(stdelf.ELFMAG), byte(class), byte(data), byte(stdelf.EV_CURRENT))
	file = append(file, make([]byte, 9)...)
	file = order.AppendUint16(file, uint16(stdelf.ET_REL))
	file = order.AppendUint16(file, uint16(machine))
	file = order.AppendUint32(file, uint32(stdelf.EV_CURRENT))
	file = word(word(word(file, 0), 0), uint64(headerSize+len(contents)))
	file = order.AppendUint32(file, 0)
	for _, n := range []int{headerSize, 0, 0, sectionSize, len(sections), len(sections) - 1} {
		file = order.AppendUint16(file, uint16(n))
	}
	return bytes.Join([][]byte{file, contents, headers}, nil)
}
