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
	"strings"
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
	// RunPaths are the lists of directories of DT_RPATH and DT_RUNPATH.
	RunPaths []string
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
	var loads []fileRange
	var dynamic *fileRange
	for b := range headers {
		switch kind, s := f.header(b); kind {
		case elf.PT_LOAD:
			if s.offset > uint64(f.size) || s.size > uint64(f.size)-s.offset {
				return formatError("it is cut off: a program header names bytes after its %d bytes", f.size)
			}
			loads = append(loads, s)
		case elf.PT_DYNAMIC:
			dynamic = &s
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
	if dynamic == nil || dynamic.size == 0 {
		return nil
	}
	return f.readDynamic(o, *dynamic, loads)
}

// readDynamic reads the dynamic section, which holds pairs of a tag and a value. The value of a
// name is an offset in a table of strings, whose address is one of the values.
func (f *elfFile) readDynamic(o *Object, dynamic fileRange, loads []fileRange) error {
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
	var table, tableSize uint64
	var needed, runPaths, soname []uint64
	for b := section; len(b) >= 2*width; b = b[2*width:] {
		tag, value := elf.DynTag(f.word(b)), f.word(b[width:])
		if tag == elf.DT_NULL {
			break
		}
		switch tag {
		case elf.DT_STRTAB:
			table = value
		case elf.DT_STRSZ:
			tableSize = value
		case elf.DT_NEEDED:
			needed = append(needed, value)
		case elf.DT_RPATH, elf.DT_RUNPATH:
			runPaths = append(runPaths, value)
		case elf.DT_SONAME:
			soname = []uint64{value}
		}
	}
	if len(needed) > maxNeeded || len(runPaths) > 2 {
		return formatError("it is linked with %d shared objects and has %d search paths: want at most %d and 2",
			len(needed), len(runPaths), maxNeeded)
	}
	if len(needed)+len(runPaths)+len(soname) == 0 {
		return nil
	}
	i := slices.IndexFunc(loads, func(s fileRange) bool { return table >= s.address && table-s.address < s.size })
	if i < 0 {
		return formatError("the table of its names is at address %#x, which no program header maps", table)
	}
	in := table - loads[i].address
	names := fileRange{loads[i].offset + in, table, min(tableSize, loads[i].size-in)}
	if o.Needed, err = f.readNames(names, needed); err == nil {
		o.RunPaths, err = f.readNames(names, runPaths)
	}
	if err == nil {
		var all []string
		all, err = f.readNames(names, soname)
		o.Soname = strings.Join(all, "")
	}
	return err
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
