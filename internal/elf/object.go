// Package elf finds out what programs need at run time.
//
// A Reader reads the ELF files and the configuration of dynamic loaders in a file system. Resolve
// looks for the shared objects that they are linked with, by the rules of the loaders. Neither
// assumes that a file is well-formed: what is read and kept has limits.
package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"slices"
)

// Object is what the kernel and a dynamic loader read of an ELF file: a program or a shared
// object.
type Object struct {
	Arch
	// Type is ET_EXEC or ET_DYN. Position-independent programs are ET_DYN, too.
	Type elf.Type
	// Interp is the path of the dynamic loader (PT_INTERP), and Soname the name that a shared
	// object gives itself (DT_SONAME). They are empty if there is none.
	Interp, Soname string
	// Needed are the shared objects that it is linked with (DT_NEEDED).
	Needed []string
	// RPath and RunPath are the lists of directories of DT_RPATH and DT_RUNPATH, with colons between.
	RPath, RunPath string
	// Requires has the versions of symbols that it needs (DT_VERNEED), and Defines those that it
	// has itself (DT_VERDEF). The linker makes both; weak needs are left out.
	Requires []Requirement
	Defines  []string
	// Notes say what it loads while it runs (dlopen(3)).
	Notes []Note
}

// Limits of one file. The kernel has the first two (load_elf_phdrs and load_elf_binary in
// fs/binfmt_elf.c). No linker writes nearly as much of the others.
const (
	maxHeaders = 64 << 10 // bytes of program headers
	maxPath    = 4096     // bytes of a path with its NUL
	maxDynamic = 1 << 20  // bytes of the dynamic section
	maxNeeded  = 1024     // shared objects
)

// FormatError says what is wrong with an ELF file.
type FormatError string

func (e FormatError) Error() string { return string(e) }

func formatError(format string, args ...any) error {
	return FormatError(fmt.Sprintf(format, args...))
}

// errNotObject reports a file that is neither a program nor a shared object, such as a kernel
// module.
const errNotObject = FormatError("neither a program nor a shared object")

// readObject reads an ELF file of size bytes, whose headers may be wrong. Errors other than a
// FormatError are those of the reader.
func readObject(file io.ReaderAt, size int64) (*Object, error) {
	var ident [64]byte
	n, err := file.ReadAt(ident[:min(size, 64)], 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	head := ident[:n]
	if !isObject(head) {
		return nil, errNotObject
	}
	o := &Object{Arch: Arch{Class: elf.Class(head[elf.EI_CLASS]), Data: elf.Data(head[elf.EI_DATA])}}
	f := &elfFile{file: file, size: size, long: o.Class == elf.ELFCLASS64, order: byteOrder(o.Data)}
	headerSize, wantSize := 52, uint16(32)
	if f.long {
		headerSize, wantSize = 64, 56
	}
	if n < headerSize {
		return nil, formatError("it ends within its ELF header")
	}
	o.Type = elf.Type(f.order.Uint16(head[16:]))
	o.Machine = elf.Machine(f.order.Uint16(head[18:]))
	phoff, counts := f.word(head[28:]), head[42:]
	if f.long {
		phoff, counts = f.word(head[32:]), head[54:]
	}
	entrySize, count := f.order.Uint16(counts), f.order.Uint16(counts[2:])
	switch total := int(entrySize) * int(count); {
	case count == 0:
		return nil, formatError("it has no program headers")
	case entrySize != wantSize:
		return nil, formatError("its program headers have %d bytes each: want %d", entrySize, wantSize)
	case total > maxHeaders:
		return nil, formatError("its program headers take %d bytes: the kernel accepts at most %d", total, maxHeaders)
	default:
		headers, err := f.read(phoff, uint64(total), "the program headers")
		if err != nil {
			return nil, err
		}
		return o, f.readProgramHeaders(o, slices.Chunk(headers, int(wantSize)))
	}
}

// isObject reports whether a file that begins with head is an ELF program or shared object.
func isObject(head []byte) bool {
	if len(head) < 20 || string(head[:4]) != elf.ELFMAG ||
		head[elf.EI_CLASS] != byte(elf.ELFCLASS32) && head[elf.EI_CLASS] != byte(elf.ELFCLASS64) {
		return false
	}
	order := byteOrder(elf.Data(head[elf.EI_DATA]))
	if order == nil {
		return false
	}
	kind := elf.Type(order.Uint16(head[16:]))
	return kind == elf.ET_EXEC || kind == elf.ET_DYN
}

func byteOrder(data elf.Data) binary.ByteOrder {
	switch data {
	case elf.ELFDATA2LSB:
		return binary.LittleEndian
	case elf.ELFDATA2MSB:
		return binary.BigEndian
	}
	return nil
}

// elfFile reads numbers and ranges of an ELF file.
type elfFile struct {
	file  io.ReaderAt
	size  int64
	long  bool // 64 bits
	order binary.ByteOrder
	loads []fileRange // what is mapped into memory
}

// fileRange is a range of the file and its address in memory.
type fileRange struct{ offset, address, size uint64 }

// read returns size bytes at offset.
func (f *elfFile) read(offset, size uint64, what string) ([]byte, error) {
	if offset > uint64(f.size) || size > uint64(f.size)-offset {
		return nil, formatError("%s, %d bytes at byte %d, would end after the file, which has %d bytes", what, size, offset, f.size)
	}
	b := make([]byte, size)
	if _, err := f.file.ReadAt(b, int64(offset)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return b, nil
}

// word reads a number of the size of an address.
func (f *elfFile) word(b []byte) uint64 {
	if f.long {
		return f.order.Uint64(b)
	}
	return uint64(f.order.Uint32(b))
}

// header reads the type and the range of a program header.
func (f *elfFile) header(b []byte) (kind elf.ProgType, s fileRange) {
	kind = elf.ProgType(f.order.Uint32(b))
	if f.long {
		return kind, fileRange{f.word(b[8:]), f.word(b[16:]), f.word(b[32:])}
	}
	return kind, fileRange{f.word(b[4:]), f.word(b[8:]), f.word(b[16:])}
}

func (f *elfFile) readProgramHeaders(o *Object, headers iter.Seq[[]byte]) error {
	var dynamic *fileRange
	var notes []fileRange
	for b := range headers {
		switch kind, s := f.header(b); kind {
		case elf.PT_LOAD:
			if s.offset > uint64(f.size) || s.size > uint64(f.size)-s.offset {
				return formatError("it is cut off: a program header names bytes after its %d bytes", f.size)
			}
			f.loads = append(f.loads, s)
		case elf.PT_DYNAMIC:
			dynamic = &s
		case elf.PT_NOTE:
			notes = append(notes, s)
		case elf.PT_INTERP:
			if o.Interp != "" {
				continue // the kernel uses the first
			}
			if s.size < 2 || s.size > maxPath {
				return formatError("the path of its dynamic loader has %d bytes: want 2 to %d", s.size, maxPath)
			}
			interp, err := f.read(s.offset, s.size, "the path of its dynamic loader")
			if err != nil {
				return err
			}
			if interp[len(interp)-1] != 0 {
				return formatError("the path of its dynamic loader does not end with a NUL")
			}
			interp, _, _ = bytes.Cut(interp, []byte{0})
			o.Interp = string(interp)
		}
	}
	if err := f.readNotes(o, notes); err != nil || dynamic == nil || dynamic.size == 0 {
		return err
	}
	return f.readDynamic(o, *dynamic)
}

// readDynamic reads the dynamic section, which holds pairs of a tag and a value. The value of a
// name is an offset in a table of strings, whose address is one of the values.
func (f *elfFile) readDynamic(o *Object, dynamic fileRange) error {
	if dynamic.size > maxDynamic {
		return formatError("its dynamic section has %d bytes: want at most %d", dynamic.size, maxDynamic)
	}
	section, err := f.read(dynamic.offset, dynamic.size, "the dynamic section")
	if err != nil {
		return err
	}
	width := 4
	if f.long {
		width = 8
	}
	values := map[elf.DynTag]uint64{} // the last one counts
	var needed []uint64
	for b := section; len(b) >= 2*width; b = b[2*width:] {
		tag, value := elf.DynTag(f.word(b)), f.word(b[width:])
		if tag == elf.DT_NULL {
			break
		}
		if tag == elf.DT_NEEDED {
			needed = append(needed, value)
			continue
		}
		values[tag] = value
	}
	if len(needed) > maxNeeded {
		return formatError("it is linked with %d shared objects: want at most %d", len(needed), maxNeeded)
	}
	names, hasNames := f.mapped(values[elf.DT_STRTAB])
	names.size = min(names.size, values[elf.DT_STRSZ])
	read := func(offsets ...uint64) ([]string, error) {
		if !hasNames {
			return nil, formatError("the table of its names is at address %#x, which no program header maps", values[elf.DT_STRTAB])
		}
		return f.readNames(names, offsets)
	}
	if len(needed) > 0 {
		if o.Needed, err = read(needed...); err != nil {
			return err
		}
	}
	for _, text := range []struct {
		tag elf.DynTag
		to  *string
	}{{elf.DT_RPATH, &o.RPath}, {elf.DT_RUNPATH, &o.RunPath}, {elf.DT_SONAME, &o.Soname}} {
		if offset, ok := values[text.tag]; ok {
			all, err := read(offset)
			if err != nil {
				return err
			}
			*text.to = all[0]
		}
	}
	return f.readVersions(o, values, read)
}

// mapped returns what is left of the range of the file that is mapped at an address, and
// whether there is one.
func (f *elfFile) mapped(address uint64) (fileRange, bool) {
	for _, s := range f.loads {
		if address >= s.address && address-s.address < s.size {
			in := address - s.address
			return fileRange{s.offset + in, address, s.size - in}, true
		}
	}
	return fileRange{}, false
}

// readNames returns the strings at these offsets of a table.
func (f *elfFile) readNames(table fileRange, offsets []uint64) ([]string, error) {
	var names []string
	known := map[uint64]string{}
	for _, offset := range offsets {
		if name, ok := known[offset]; ok {
			names = append(names, name)
			continue
		}
		if offset >= table.size {
			return nil, formatError("a name begins at byte %d of a table of %d bytes", offset, table.size)
		}
		// Most names are short.
		var b, name []byte
		ended := false
		for _, size := range []uint64{64, maxPath} {
			if ended {
				break
			}
			var err error
			if b, err = f.read(table.offset+offset, min(size, table.size-offset), "a name"); err != nil {
				return nil, err
			}
			name, _, ended = bytes.Cut(b, []byte{0})
		}
		if !ended {
			return nil, formatError("a name does not end within %d bytes", len(b))
		}
		known[offset] = string(name)
		names = append(names, known[offset])
	}
	return names, nil
}
