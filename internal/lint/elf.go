package lint

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// object is what the kernel and a dynamic loader read of an ELF file: a program
// or a shared object.
type object struct {
	kind    elf.Type // ET_EXEC or ET_DYN
	machine elf.Machine
	class   elf.Class
	data    elf.Data
	// interp is the path of the dynamic loader (PT_INTERP), soname what a shared
	// object calls itself (DT_SONAME); empty if there is none.
	interp, soname string
	// needed are the shared objects that it is linked with (DT_NEEDED).
	needed []string
	// runPaths are the lists of directories of DT_RPATH and DT_RUNPATH.
	runPaths []string

	// linked tells that what it needs has been looked for, and missing is what was
	// not found; from is the directory in which a loader found it first.
	linked  bool
	missing []missing
	from    string
}

// What is taken of one file. The kernel takes no more of the first two
// (load_elf_phdrs and load_elf_binary in fs/binfmt_elf.c); no linker writes
// nearly as much of the rest.
const (
	maxHeaders = 64 << 10 // bytes of program headers
	maxPath    = 4096     // bytes of a path with its NUL
	maxDynamic = 1 << 20  // bytes of the dynamic section
	maxNeeded  = 1024     // shared objects
)

var errNoObject = errors.New("neither a program nor a shared object")

// readObject reads an ELF file of size bytes, whose headers may say anything.
// For a file that is neither a program nor a shared object, such as a kernel
// module, it returns errNoObject.
func readObject(file io.ReaderAt, size int64) (*object, error) {
	var ident [64]byte
	n, err := file.ReadAt(ident[:min(size, 64)], 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	head := ident[:n]
	if !isObject(head) {
		return nil, errNoObject
	}
	o := &object{class: elf.Class(head[elf.EI_CLASS]), data: elf.Data(head[elf.EI_DATA])}
	f := &elfFile{file: file, size: size, long: o.class == elf.ELFCLASS64, order: byteOrder(o.data)}
	headerSize := 52
	if f.long {
		headerSize = 64
	}
	if n < headerSize {
		return nil, errors.New("it ends inside of its header")
	}
	o.kind = elf.Type(f.order.Uint16(head[16:]))
	o.machine = elf.Machine(f.order.Uint16(head[18:]))

	phoff, entrySize, count := uint64(f.order.Uint32(head[28:])), f.order.Uint16(head[42:]), f.order.Uint16(head[44:])
	wantSize := uint16(32)
	if f.long {
		phoff, entrySize, count = f.order.Uint64(head[32:]), f.order.Uint16(head[54:]), f.order.Uint16(head[56:])
		wantSize = 56
	}
	switch total := int(entrySize) * int(count); {
	case entrySize != wantSize || count == 0:
		return nil, fmt.Errorf("it has %d program headers of %d bytes: want some, of %d", count, entrySize, wantSize)
	case total > maxHeaders:
		return nil, fmt.Errorf("its program headers have %d bytes: the kernel takes %d", total, maxHeaders)
	default:
		headers, err := f.read(phoff, uint64(total), "the program headers")
		if err != nil {
			return nil, err
		}
		return o, f.readSegments(o, headers)
	}
}

// isObject tells whether a file that begins with head is an ELF program or
// shared object.
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

// segment is a part of the file that is mapped to memory (PT_LOAD).
type segment struct{ offset, address, size uint64 }

// read returns size bytes at offset, which the file must have.
func (f *elfFile) read(offset, size uint64, what string) ([]byte, error) {
	if offset > uint64(f.size) || size > uint64(f.size)-offset {
		return nil, fmt.Errorf("%s, %d bytes at byte %d, would be behind its end: it has %d bytes", what, size, offset, f.size)
	}
	b := make([]byte, size)
	if _, err := f.file.ReadAt(b, int64(offset)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return b, nil
}

// word reads a number that has the size of an address.
func (f *elfFile) word(b []byte) uint64 {
	if f.long {
		return f.order.Uint64(b)
	}
	return uint64(f.order.Uint32(b))
}

// header reads the parts of a program header that are of use.
func (f *elfFile) header(b []byte) (kind elf.ProgType, s segment) {
	kind = elf.ProgType(f.order.Uint32(b))
	if f.long {
		return kind, segment{f.word(b[8:]), f.word(b[16:]), f.word(b[32:])}
	}
	return kind, segment{f.word(b[4:]), f.word(b[8:]), f.word(b[16:])}
}

func (f *elfFile) readSegments(o *object, headers []byte) error {
	each := 32
	if f.long {
		each = 56
	}
	var loads []segment
	var dynamic *segment
	for b := headers; len(b) >= each; b = b[each:] {
		switch kind, s := f.header(b); kind {
		case elf.PT_LOAD:
			if s.offset > uint64(f.size) || s.size > uint64(f.size)-s.offset {
				return fmt.Errorf("a segment ends behind it, which has %d bytes: it has been cut off", f.size)
			}
			loads = append(loads, s)
		case elf.PT_DYNAMIC:
			dynamic = &s
		case elf.PT_INTERP:
			if o.interp != "" {
				continue // the kernel takes the first
			}
			if s.size < 2 || s.size > maxPath {
				return fmt.Errorf("the path of its loader has %d bytes: want 2 to %d", s.size, maxPath)
			}
			interp, err := f.read(s.offset, s.size, "the path of its loader")
			if err != nil {
				return err
			}
			if interp[len(interp)-1] != 0 {
				return errors.New("the path of its loader has no NUL at its end")
			}
			interp, _, _ = bytes.Cut(interp, []byte{0})
			o.interp = string(interp)
		}
	}
	if dynamic == nil || dynamic.size == 0 {
		return nil
	}
	return f.readDynamic(o, *dynamic, loads)
}

// readDynamic reads the dynamic section: pairs of a tag and a value. Names are
// offsets in a table of strings, whose address is one of the values.
func (f *elfFile) readDynamic(o *object, dynamic segment, loads []segment) error {
	if dynamic.size > maxDynamic {
		return fmt.Errorf("its dynamic section has %d bytes: want %d at most", dynamic.size, maxDynamic)
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
		return fmt.Errorf("it is linked with %d shared objects and has %d search paths: want %d and 2 at most",
			len(needed), len(runPaths), maxNeeded)
	}
	if len(needed)+len(runPaths)+len(soname) == 0 {
		return nil
	}
	strings, err := f.openStrings(table, tableSize, loads)
	if err != nil {
		return err
	}
	if o.needed, err = strings.all(needed); err == nil {
		o.runPaths, err = strings.all(runPaths)
	}
	if err == nil && soname != nil {
		o.soname, err = strings.at(soname[0])
	}
	return err
}

// elfStrings is the table of strings of a dynamic section.
type elfStrings struct {
	*elfFile
	offset, size uint64
}

func (f *elfFile) openStrings(address, size uint64, loads []segment) (*elfStrings, error) {
	for _, s := range loads {
		if address >= s.address && address-s.address < s.size {
			in := address - s.address
			return &elfStrings{f, s.offset + in, min(size, s.size-in)}, nil
		}
	}
	return nil, fmt.Errorf("the names that it is linked with, at address %#x, are in none of its segments", address)
}

// at returns the string at an offset of the table.
func (t *elfStrings) at(offset uint64) (string, error) {
	if offset >= t.size {
		return "", fmt.Errorf("a name at byte %d of a table of %d", offset, t.size)
	}
	b, err := t.read(t.offset+offset, min(maxPath, t.size-offset), "a name")
	if err != nil {
		return "", err
	}
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return "", fmt.Errorf("a name that does not end within %d bytes", len(b))
	}
	return string(b[:end]), nil
}

func (t *elfStrings) all(offsets []uint64) ([]string, error) {
	var names []string
	for _, offset := range offsets {
		name, err := t.at(offset)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
