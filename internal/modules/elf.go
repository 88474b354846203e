package modules

import (
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// object is an ELF file. Its sections are the first of each name that the package reads, as in
// kmod_elf_save_sections of libkmod/libkmod-elf.c; nil if there is none.
type object struct {
	*sections
	name string

	info, strings, symbols, versions, exports []byte
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
	if m.Imports, err = p.imports(o, symbols); err != nil {
		return nil, err
	}
	return m, nil
}

// newObject reads the sections of an ELF file.
func newObject(name string, data []byte) (*object, error) {
	s, err := readSections(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o := &object{sections: s, name: name}
	wanted := map[string]*[]byte{
		".modinfo":          &o.info,
		".strtab":           &o.strings,
		".symtab":           &o.symbols,
		"__versions":        &o.versions,
		"__ksymtab_strings": &o.exports,
	}
	for i := 1; i < s.count; i++ {
		if section := wanted[s.name(i)]; section != nil && *section == nil {
			*section = s.content(i)
		}
	}
	if o.info == nil {
		return nil, fmt.Errorf("%s: %w: it is an object file without a section .modinfo", name, ErrNotModule)
	}
	return o, nil
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
