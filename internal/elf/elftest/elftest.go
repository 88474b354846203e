// Package elftest makes ELF files for tests.
package elftest

import (
	"bytes"
	"cmp"
	debugelf "debug/elf"
	"encoding/binary"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
)

// File is an ELF file, with as much as a kernel and a dynamic loader read.
type File struct {
	Type    debugelf.Type // default: ET_EXEC
	Arch    string        // a name that elf.ParseArch knows; default: x86_64
	Interp  string
	Soname  string
	Needed  []string
	RPath   string
	RunPath string
	// Requires and Defines are versions of symbols.
	Requires []elf.Requirement
	Defines  []string
	// Notes is the text of a note of dlopen; empty for none.
	Notes string
	Size  int // of the file, padded with NULs
}

// String returns the content of the file, all of which is mapped at one address.
func (f File) String() string {
	const address = 0x400000
	arch, err := elf.ParseArch(cmp.Or(f.Arch, "x86_64"))
	if err != nil {
		panic(err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if arch.Data == debugelf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	long := arch.Class == debugelf.ELFCLASS64
	kind := cmp.Or(f.Type, debugelf.ET_EXEC)

	table := "\x00"
	var dynamic []uint64 // pairs of a tag and a value
	add := func(tag debugelf.DynTag, names ...string) {
		for _, name := range names {
			if name != "" {
				dynamic = append(dynamic, uint64(tag), uint64(len(table)))
				table += name + "\x00"
			}
		}
	}
	add(debugelf.DT_NEEDED, f.Needed...)
	add(debugelf.DT_SONAME, f.Soname)
	add(debugelf.DT_RPATH, f.RPath)
	add(debugelf.DT_RUNPATH, f.RunPath)

	// The versions of symbols follow the table of strings.
	intern := func(name string) uint32 {
		table += name + "\x00"
		return uint32(len(table) - len(name) - 1)
	}
	var needs, defines bytes.Buffer
	next := func(i, n, size int) uint32 {
		if i == n-1 {
			return 0
		}
		return uint32(size)
	}
	for i, required := range f.Requires {
		n := len(required.Versions)
		binary.Write(&needs, order, []uint16{1, uint16(n)})
		binary.Write(&needs, order, []uint32{intern(required.Name), 16, next(i, len(f.Requires), 16+16*n)})
		for j, version := range required.Versions {
			binary.Write(&needs, order, []uint32{0, 0, intern(version), next(j, n, 16)})
		}
	}
	for i, version := range f.Defines {
		binary.Write(&defines, order, []uint16{1, 0, uint16(i + 1), 1})
		binary.Write(&defines, order, []uint32{0, 20, next(i, len(f.Defines), 28), intern(version), 0})
	}

	headerSize, entrySize, width := 52, 32, 4
	if long {
		headerSize, entrySize, width = 64, 56, 8
	}
	headers := 1
	if f.Interp != "" {
		headers++
	}
	isDynamic := len(dynamic)+needs.Len()+defines.Len() > 0
	if isDynamic {
		headers++
	}
	if f.Notes != "" {
		headers++
	}
	interpAt := headerSize + headers*entrySize
	tableAt := interpAt + len(f.Interp) + 1
	needsAt := (tableAt + len(table) + 7) &^ 7
	definesAt := needsAt + needs.Len()
	notesAt := definesAt + defines.Len()
	notesSize := 0
	if f.Notes != "" {
		notesSize = 16 + (len(f.Notes)+4)&^3
	}
	dynamicAt := (notesAt + notesSize + 7) &^ 7
	if needs.Len() > 0 {
		dynamic = append(dynamic, uint64(debugelf.DT_VERNEED), uint64(address+needsAt), uint64(debugelf.DT_VERNEEDNUM), uint64(len(f.Requires)))
	}
	if defines.Len() > 0 {
		dynamic = append(dynamic, uint64(debugelf.DT_VERDEF), uint64(address+definesAt), uint64(debugelf.DT_VERDEFNUM), uint64(len(f.Defines)))
	}
	dynamic = append(dynamic, uint64(debugelf.DT_STRTAB), uint64(address+tableAt), uint64(debugelf.DT_STRSZ), uint64(len(table)), 0, 0)
	end := dynamicAt + len(dynamic)*width

	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			binary.Write(&b, order, v)
		}
	}
	word := func(values ...uint64) {
		for _, v := range values {
			if long {
				put(v)
			} else {
				put(uint32(v))
			}
		}
	}
	put([]byte(debugelf.ELFMAG), byte(arch.Class), byte(arch.Data), byte(1), make([]byte, 9))
	put(uint16(kind), uint16(arch.Machine), uint32(1))
	word(address, uint64(headerSize), 0)
	put(uint32(0), uint16(headerSize), uint16(entrySize), uint16(headers), uint16(0), uint16(0), uint16(0))
	programHeader := func(kind debugelf.ProgType, at, size int) {
		put(uint32(kind))
		if long {
			put(uint32(debugelf.PF_R))
		}
		word(uint64(at), uint64(address+at), uint64(address+at), uint64(size), uint64(size))
		if !long {
			put(uint32(debugelf.PF_R))
		}
		word(4)
	}
	programHeader(debugelf.PT_LOAD, 0, end)
	if f.Interp != "" {
		programHeader(debugelf.PT_INTERP, interpAt, len(f.Interp)+1)
	}
	if isDynamic {
		programHeader(debugelf.PT_DYNAMIC, dynamicAt, len(dynamic)*width)
	}
	if f.Notes != "" {
		programHeader(debugelf.PT_NOTE, notesAt, notesSize)
	}
	put([]byte(f.Interp), byte(0), []byte(table), make([]byte, needsAt-tableAt-len(table)), needs.Bytes(), defines.Bytes())
	if f.Notes != "" {
		put(uint32(4), uint32(len(f.Notes)+1), uint32(0x407c0c0a), []byte("FDO\x00"), []byte(f.Notes), make([]byte, notesSize-16-len(f.Notes)))
	}
	put(make([]byte, dynamicAt-b.Len()))
	word(dynamic...)
	put(make([]byte, max(0, f.Size-b.Len())))
	return b.String()
}
