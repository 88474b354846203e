package modules

import (
	"bytes"
	stdelf "debug/elf"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// object is an ELF file. Its sections are the first of each name that the package reads, as in
// kmod_elf_save_sections of libkmod/libkmod-elf.c; nil if there is none.
type object struct {
	name  string
	data  []byte
	long  bool // 64 bits
	order binary.ByteOrder
	arch  elf.Arch

	info, strings, symbols, versions, exports []byte
	sections                                  [][]byte // by their index
}

func (p *parser) parse(name string, data []byte) (*Module, error) {
	o, err := newObject(name, data)
	if err != nil {
		return nil, err
	}
	m := &Module{
		Name:   Name(name),
		Path:   name,
		Size:   int64(len(data)),
		Arch:   o.arch,
		Signed: signature.Signed(data),
		Info:   parseInfo(string(o.info)),
	}
	symbols, err := o.readSymbols()
	if err != nil {
		return nil, err
	}
	if m.Exports, err = p.exports(o, symbols); err != nil {
		return nil, err
	}
	m.Imports, err = p.imports(o, symbols)
	return m, err
}

// newObject reads the headers of an ELF file.
func newObject(name string, data []byte) (*object, error) {
	if len(data) < 20 || string(data[:4]) != stdelf.ELFMAG {
		return nil, fmt.Errorf("%s: %w: it is not an ELF file", name, ErrNotModule)
	}
	o := &object{name: name, data: data}
	o.arch = elf.Arch{Class: stdelf.Class(data[stdelf.EI_CLASS]), Data: stdelf.Data(data[stdelf.EI_DATA])}
	switch o.arch.Data {
	case stdelf.ELFDATA2LSB:
		o.order = binary.LittleEndian
	case stdelf.ELFDATA2MSB:
		o.order = binary.BigEndian
	default:
		return nil, damaged(name, "its ELF header has no byte order")
	}
	headerSize, sectionSize := 52, 40
	switch o.arch.Class {
	case stdelf.ELFCLASS32:
	case stdelf.ELFCLASS64:
		o.long = true
		headerSize, sectionSize = 64, 64
	default:
		return nil, damaged(name, "its ELF header has no class")
	}
	if len(data) < headerSize {
		return nil, damaged(name, "it ends within its ELF header")
	}
	if kind := stdelf.Type(o.order.Uint16(data[16:])); kind != stdelf.ET_REL {
		return nil, fmt.Errorf("%s: %w: it is an ELF file of type %v", name, ErrNotModule, kind)
	}
	o.arch.Machine = stdelf.Machine(o.order.Uint16(data[18:]))
	offset, counts := o.word(data[32:]), data[46:]
	if o.long {
		offset, counts = o.word(data[40:]), data[58:]
	}
	entrySize, count, names := int(o.order.Uint16(counts)), int(o.order.Uint16(counts[2:])), int(o.order.Uint16(counts[4:]))
	if entrySize != sectionSize {
		return nil, damaged(name, "its section headers have %d bytes each: want %d", entrySize, sectionSize)
	}
	headers, ok := o.bytes(offset, uint64(count*entrySize))
	if !ok {
		return nil, damaged(name, "it ends before its section headers")
	}
	return o, o.readSections(headers, entrySize, names)
}

// word reads a number of the size of an address.
func (o *object) word(b []byte) uint64 {
	if o.long {
		return o.order.Uint64(b)
	}
	return uint64(o.order.Uint32(b))
}

// bytes returns a range of the file, and reports whether the file has it.
func (o *object) bytes(offset, size uint64) ([]byte, bool) {
	if total := uint64(len(o.data)); offset > total || size > total-offset {
		return nil, false
	}
	return o.data[offset : offset+size : offset+size], true
}

// readSections finds the sections. Only one without content, such as .bss, may be longer than the
// file.
func (o *object) readSections(headers []byte, entrySize, names int) error {
	count := len(headers) / entrySize
	if names == 0 || names >= count {
		return damaged(o.name, "its sections have no names")
	}
	o.sections = make([][]byte, count)
	for i := 1; i < count; i++ {
		header := headers[i*entrySize:]
		offset, size := o.word(header[16:]), o.word(header[20:])
		if o.long {
			offset, size = o.word(header[24:]), o.word(header[32:])
		}
		if kind := stdelf.SectionType(o.order.Uint32(header[4:])); kind == stdelf.SHT_NOBITS || kind == stdelf.SHT_NULL {
			continue
		}
		var ok bool
		if o.sections[i], ok = o.bytes(offset, size); !ok {
			return damaged(o.name, "its section %d, %d bytes at byte %d, would end after the file, which has %d bytes", i, size, offset, len(o.data))
		}
	}
	wanted := map[string]*[]byte{
		".modinfo":          &o.info,
		".strtab":           &o.strings,
		".symtab":           &o.symbols,
		"__versions":        &o.versions,
		"__ksymtab_strings": &o.exports,
	}
	for i := 1; i < count; i++ {
		name, ok := text(o.sections[names], uint64(o.order.Uint32(headers[i*entrySize:])))
		if !ok {
			return damaged(o.name, "the name of its section %d is not in the table of names", i)
		}
		if section := wanted[string(name)]; section != nil && *section == nil {
			*section = o.sections[i]
		}
	}
	if o.info == nil {
		return fmt.Errorf("%s: %w: it is an object file without a section .modinfo", o.name, ErrNotModule)
	}
	return nil
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

// cut returns the text at the beginning of a field, and reports whether a NUL ends it.
func cut(field []byte) (string, bool) {
	name, ok := text(field, 0)
	return string(name), ok
}

// fields splits a table of texts with NULs after and between them.
func fields(table string) []string {
	return strings.FieldsFunc(table, func(r rune) bool { return r == 0 })
}
