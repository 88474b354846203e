package modules

import (
	stdelf "debug/elf"
	"strings"
)

// crcPrefix begins the names of the symbols that hold checksums (SYMBOL_CRC in
// include/linux/export-internal.h).
const crcPrefix = "__crc_"

// versionSize is the size in bytes of a row of the section __versions (struct modversion_info in
// include/linux/module.h): a checksum of the size of an address, and a name.
const versionSize = 64

// elfSymbol is a row of a symbol table.
type elfSymbol struct {
	name    []byte
	value   uint64
	binding stdelf.SymBind
	kind    stdelf.SymType
	section uint16
}

// readSymbols reads the symbol table without its first row, which is always empty. A module
// without one imports and exports nothing.
func (o *object) readSymbols() ([]elfSymbol, error) {
	size := 16
	if o.long {
		size = 24
	}
	if len(o.symbols)%size != 0 {
		return nil, damaged(o.name, "its symbol table has %d bytes, which is not a multiple of %d", len(o.symbols), size)
	}
	symbols := make([]elfSymbol, 0, len(o.symbols)/size)
	for at := size; at < len(o.symbols); at += size {
		row := o.symbols[at : at+size]
		s := elfSymbol{value: o.number(row[4:])}
		info, section := row[12], row[14:]
		if o.long {
			s.value = o.number(row[8:])
			info, section = row[4], row[6:]
		}
		var ok bool
		if s.name, ok = text(o.strings, uint64(o.order.Uint32(row))); !ok {
			return nil, damaged(o.name, "the name of its symbol %d is not in the table of names", at/size)
		}
		s.binding, s.kind, s.section = stdelf.ST_BIND(info), stdelf.ST_TYPE(info), o.order.Uint16(section)
		symbols = append(symbols, s)
	}
	return symbols, nil
}

// intern returns a symbol's name. Modules share most of the names that they import.
func (p *parser) intern(name []byte) string {
	known, ok := p.names[string(name)]
	if !ok {
		if p.names == nil {
			p.names = map[string]string{}
		}
		known = string(name)
		p.names[known] = known
	}
	return known
}

// exports returns the symbols that others may use: those with checksums or, without any, the names
// in the section __ksymtab_strings (kmod_elf_get_symbols in libkmod/libkmod-elf.c).
func (p *parser) exports(o *object, symbols []elfSymbol) ([]Symbol, error) {
	var exports []Symbol
	for i, s := range symbols {
		if !strings.HasPrefix(string(s.name), crcPrefix) {
			continue
		}
		crc, err := o.crc(i+1, s)
		if err != nil {
			return nil, err
		}
		if name := s.name[len(crcPrefix):]; len(name) > 0 {
			exports = append(exports, Symbol{Name: p.intern(name), CRC: crc})
		}
	}
	if len(exports) == 0 {
		for _, name := range fields(string(o.exports)) {
			exports = append(exports, Symbol{Name: p.intern([]byte(name))})
		}
	}
	return exports, nil
}

// crc returns the checksum of a symbol whose name begins with crcPrefix: the value of the symbol
// or, since Linux 5.19, what it points to (kmod_elf_resolve_crc in libkmod/libkmod-elf.c).
func (o *object) crc(index int, s elfSymbol) (uint32, error) {
	if section := stdelf.SectionIndex(s.section); section == stdelf.SHN_ABS || section == stdelf.SHN_UNDEF {
		return uint32(s.value), nil
	}
	section := o.content(int(s.section))
	if size := uint64(len(section)); s.value > size || size-s.value < 4 {
		return 0, damaged(o.name, "the checksum of its symbol %d is not in the file", index)
	}
	return o.order.Uint32(section[s.value:]), nil
}

// sparcRegister is the type of symbols of SPARC that look undefined and are not (STT_REGISTER).
const sparcRegister stdelf.SymType = 13

// imports returns the undefined symbols and then the names that the section __versions has beside
// them, such as module_layout (kmod_elf_get_dependency_symbols in libkmod/libkmod-elf.c).
func (p *parser) imports(o *object, symbols []elfSymbol) ([]Symbol, error) {
	versions, err := o.readVersions()
	if err != nil {
		return nil, err
	}
	rows := make(map[string]int, len(versions))
	for i, v := range versions {
		if _, ok := rows[v.Name]; !ok {
			rows[v.Name] = i
		}
	}
	sparc := o.arch.Machine == stdelf.EM_SPARC || o.arch.Machine == stdelf.EM_SPARCV9
	used := make([]bool, len(versions))
	var imports []Symbol
	for _, s := range symbols {
		if s.section != uint16(stdelf.SHN_UNDEF) || len(s.name) == 0 || sparc && s.kind == sparcRegister {
			continue
		}
		symbol := Symbol{Name: p.intern(s.name), Weak: s.binding == stdelf.STB_WEAK}
		if row, ok := rows[symbol.Name]; ok {
			symbol.CRC, used[row] = versions[row].CRC, true
		}
		imports = append(imports, symbol)
	}
	for i, v := range versions {
		if !used[i] {
			imports = append(imports, Symbol{Name: p.intern([]byte(v.Name)), CRC: v.CRC})
		}
	}
	return imports, nil
}

// readVersions reads the section __versions: the symbols that the module was compiled with.
func (o *object) readVersions() ([]Symbol, error) {
	if len(o.versions)%versionSize != 0 {
		return nil, damaged(o.name, "its section __versions has %d bytes, which is not a multiple of %d", len(o.versions), versionSize)
	}
	crcSize := 4
	if o.long {
		crcSize = 8
	}
	versions := make([]Symbol, 0, len(o.versions)/versionSize)
	for at := 0; at < len(o.versions); at += versionSize {
		row := o.versions[at : at+versionSize]
		name, ok := cut(row[crcSize:])
		if !ok {
			return nil, damaged(o.name, "the name in row %d of its section __versions has no end", at/versionSize+1)
		}
		versions = append(versions, Symbol{Name: name, CRC: uint32(o.number(row))})
	}
	return versions, nil
}
