// Package pe reads and changes EFI executables: PE32+ files for UEFI, which are boot loaders, unified
// kernel images, and kernels with CONFIG_EFI_STUB.
//
// The format is that of Microsoft's "PE Format", with what UEFI's specification takes from it
// (chapters 2.1 and 32.2). Nothing is assumed about a file. Memory does not grow with it: headers
// and certificates have limits, and the content of sections is only copied.
package pe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
)

var (
	// ErrNotEFI is the error for a file that is not an EFI executable.
	ErrNotEFI = errors.New("not an EFI executable")
	// ErrDamaged is the error for an EFI executable that cannot be read.
	ErrDamaged = errors.New("the EFI executable is damaged")
)

// Flags of sections: IMAGE_SCN_*.
const (
	Code            = 0x00000020
	InitializedData = 0x00000040
	MemRead         = 0x40000000
)

// NXCompat is the flag of DLLCharacteristics for a file whose memory may be made not executable
// where it has data, and not writable where it has code.
const NXCompat = 0x0100

// Positions in the headers, and their sizes. Those of the file header are relative to what follows
// the signature, and those of the optional header to its beginning.
const (
	dosHeaderSize = 64
	newHeaderAt   = 0x3c
	signature     = "PE\x00\x00"

	fileHeaderSize     = 20
	numberOfSectionsAt = 2
	optionalSizeAt     = 16

	initializedDataAt     = 8
	sectionAlignmentAt    = 32
	fileAlignmentAt       = 36
	sizeOfImageAt         = 56
	sizeOfHeadersAt       = 60
	checkSumAt            = 64
	subsystemAt           = 68
	dllCharacteristicsAt  = 70
	numberOfDirectoriesAt = 108
	directoriesAt         = 112

	directorySize         = 8
	certificatesDirectory = 4

	sectionHeaderSize = 40
	sectionNameSize   = 8
)

const (
	magic64           = 0x20b  // of PE32+
	firstEFI, lastEFI = 10, 13 // IMAGE_SUBSYSTEM_EFI_APPLICATION, IMAGE_SUBSYSTEM_EFI_ROM

	// Offsets and addresses have 32 bits.
	maxSize = 1<<32 - 1

	// Limits. No program comes near them.
	maxSections  = 1 << 12
	maxAlignment = 1 << 26
)

var little = binary.LittleEndian

// File is an EFI executable.
type File struct {
	// Machine is the architecture: IMAGE_FILE_MACHINE_*, as PEMachine in package arch.
	Machine uint16
	// SectionAlignment and FileAlignment are what addresses in memory and offsets in the file are
	// multiples of: powers of 2.
	SectionAlignment, FileAlignment uint32
	// SizeOfImage is how many bytes of memory the program takes. SizeOfHeaders is how many bytes
	// of the file are headers.
	SizeOfImage, SizeOfHeaders uint32
	// CheckSum is what the file says. UEFI does not verify it, and zero is usual.
	CheckSum uint32
	// DLLCharacteristics are flags, such as NXCompat.
	DLLCharacteristics uint16
	// Sections are in the order of the section table.
	Sections []Section

	r    io.ReaderAt
	size int64
	// optionalAt and tableAt are the offsets of the optional header and of the section table.
	optionalAt, tableAt int64
	// certificates is what the data directory has. offset is zero if there are none, and has is
	// false if the headers have no place for them.
	certificates struct {
		has          bool
		offset, size uint32
	}
}

// Section is a section of an EFI executable.
type Section struct {
	// Name has 8 bytes at most.
	Name string
	// VirtualAddress is the distance in memory from the beginning of the program; VirtualSize is
	// the size there. Memory after the file's bytes is zero.
	VirtualAddress, VirtualSize uint32
	// Offset and Size are those of the bytes in the file, with what aligns their end.
	Offset, Size uint32
	// Characteristics are flags, such as MemRead.
	Characteristics uint32

	r io.ReaderAt
}

// Data returns the content of the section: its bytes in the file without what aligns their end.
func (s *Section) Data() *io.SectionReader {
	return io.NewSectionReader(s.r, int64(s.Offset), int64(min(s.VirtualSize, s.Size)))
}

// Raw returns the bytes of the section in the file, with what aligns their end.
func (s *Section) Raw() *io.SectionReader {
	return io.NewSectionReader(s.r, int64(s.Offset), int64(s.Size))
}

// Open reads the headers of an EFI executable with size bytes. It returns ErrNotEFI or ErrDamaged,
// with what is wrong. Sections are read from r later.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, size: size}
	if size < dosHeaderSize {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrNotEFI, size)
	}
	dos, err := f.read(0, dosHeaderSize)
	if err != nil {
		return nil, err
	}
	at := int64(little.Uint32(dos[newHeaderAt:]))
	if string(dos[:2]) != "MZ" || at > size-int64(len(signature))-fileHeaderSize {
		return nil, ErrNotEFI
	}
	head, err := f.read(at, len(signature)+fileHeaderSize)
	if err != nil {
		return nil, err
	}
	if string(head[:len(signature)]) != signature {
		return nil, ErrNotEFI
	}
	head = head[len(signature):]
	f.Machine = little.Uint16(head)
	f.optionalAt = at + int64(len(signature)) + fileHeaderSize
	optionalSize := int(little.Uint16(head[optionalSizeAt:]))
	if err := f.readOptional(optionalSize); err != nil {
		return nil, err
	}
	f.tableAt = f.optionalAt + int64(optionalSize)
	if err := f.readSections(int(little.Uint16(head[numberOfSectionsAt:]))); err != nil {
		return nil, err
	}
	return f, nil
}

// Size returns how many bytes the file has.
func (f *File) Size() int64 { return f.size }

// Write writes the file.
func (f *File) Write(w io.Writer) error { return copyRange(w, f.r, 0, f.size) }

// Section returns the first section with this name, or nil.
func (f *File) Section(name string) *Section {
	for i := range f.Sections {
		if f.Sections[i].Name == name {
			return &f.Sections[i]
		}
	}
	return nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// read reads n bytes of the headers.
func (f *File) read(at int64, n int) ([]byte, error) {
	if at < 0 || int64(n) > f.size-at {
		return nil, damaged("it ends within its headers")
	}
	b := make([]byte, n)
	if _, err := f.r.ReadAt(b, at); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

func (f *File) readOptional(size int) error {
	if size < directoriesAt {
		return fmt.Errorf("%w: it is an object file or a program for 32 bits", ErrNotEFI)
	}
	h, err := f.read(f.optionalAt, size)
	if err != nil {
		return err
	}
	if magic := little.Uint16(h); magic != magic64 {
		return fmt.Errorf("%w for 64 bits: its format is %#x, and PE32+ is %#x", ErrNotEFI, magic, magic64)
	}
	if subsystem := little.Uint16(h[subsystemAt:]); subsystem < firstEFI || subsystem > lastEFI {
		return fmt.Errorf("%w: it is for another system (subsystem %d)", ErrNotEFI, subsystem)
	}
	f.SectionAlignment, f.FileAlignment = little.Uint32(h[sectionAlignmentAt:]), little.Uint32(h[fileAlignmentAt:])
	f.SizeOfImage, f.SizeOfHeaders = little.Uint32(h[sizeOfImageAt:]), little.Uint32(h[sizeOfHeadersAt:])
	f.CheckSum, f.DLLCharacteristics = little.Uint32(h[checkSumAt:]), little.Uint16(h[dllCharacteristicsAt:])
	for _, alignment := range []uint32{f.SectionAlignment, f.FileAlignment} {
		if alignment == 0 || alignment > maxAlignment || alignment&(alignment-1) != 0 {
			return damaged("an alignment is %d, which is not a power of 2 up to %d", alignment, maxAlignment)
		}
	}
	directories := little.Uint32(h[numberOfDirectoriesAt:])
	if uint64(directories) > uint64(size-directoriesAt)/directorySize {
		return damaged("its optional header has %d bytes, which is too little for %d data directories", size, directories)
	}
	if directories <= certificatesDirectory {
		return nil
	}
	c := &f.certificates
	entry := h[directoriesAt+certificatesDirectory*directorySize:]
	c.has, c.offset, c.size = true, little.Uint32(entry), little.Uint32(entry[4:])
	if c.size == 0 {
		c.offset = 0
	} else if int64(c.offset)+int64(c.size) != f.size {
		// Authenticode hashes what is before the table, and finds its end at the end of the file.
		return damaged("its certificates are %d bytes at byte %d, and must end the file, which has %d bytes", c.size, c.offset, f.size)
	}
	return nil
}

func (f *File) readSections(n int) error {
	if n > maxSections {
		return damaged("it has %d sections", n)
	}
	table, err := f.read(f.tableAt, n*sectionHeaderSize)
	if err != nil {
		return err
	}
	end := f.tableAt + int64(len(table))
	if int64(f.SizeOfHeaders) < end || int64(f.SizeOfHeaders) > f.contentEnd() {
		return damaged("its headers have %d bytes, and its section table ends at byte %d of %d", f.SizeOfHeaders, end, f.size)
	}
	for ; len(table) > 0; table = table[sectionHeaderSize:] {
		name, _, _ := bytes.Cut(table[:sectionNameSize], []byte{0})
		s := Section{
			Name:            string(name),
			VirtualSize:     little.Uint32(table[8:]),
			VirtualAddress:  little.Uint32(table[12:]),
			Size:            little.Uint32(table[16:]),
			Offset:          little.Uint32(table[20:]),
			Characteristics: little.Uint32(table[36:]),
			r:               f.r,
		}
		if s.Size == 0 {
			s.Offset = 0 // it is unused
		} else if int64(s.Offset)+int64(s.Size) > f.contentEnd() || s.Offset < f.SizeOfHeaders {
			return damaged("section %q has %d bytes at byte %d, between the headers, %d bytes, and the end, byte %d",
				s.Name, s.Size, s.Offset, f.SizeOfHeaders, f.contentEnd())
		}
		if uint64(s.VirtualAddress)+uint64(s.VirtualSize) > maxSize {
			return damaged("section %q ends after 4 GiB of memory", s.Name)
		}
		f.Sections = append(f.Sections, s)
	}
	return nil
}

// contentEnd returns where certificates are, or the file ends.
func (f *File) contentEnd() int64 {
	if f.certificates.offset != 0 {
		return int64(f.certificates.offset)
	}
	return f.size
}

// Digest writes to h what the Authenticode digest of the file is made of: all but the checksum,
// the place of the certificates, and the certificates. It reads the bytes in the order in which
// UEFI firmware does (HashPeImage in SecurityPkg/Library/DxeImageVerificationLib of EDK II).
func (f *File) Digest(h hash.Hash) error { return f.digest(h, 0) }

// digest is Digest of the file as it would be with zeros at its end.
func (f *File) digest(h hash.Hash, zeros int64) error {
	checkSum := f.optionalAt + checkSumAt
	ranges := [][2]int64{{0, checkSum}, {checkSum + 4, int64(f.SizeOfHeaders)}}
	if f.certificates.has {
		directory := f.optionalAt + directoriesAt + certificatesDirectory*directorySize
		ranges = [][2]int64{{0, checkSum}, {checkSum + 4, directory}, {directory + directorySize, int64(f.SizeOfHeaders)}}
	}
	sections := slices.Clone(f.Sections)
	slices.SortStableFunc(sections, func(a, b Section) int { return int(int64(a.Offset) - int64(b.Offset)) })
	hashed := int64(f.SizeOfHeaders)
	for _, s := range sections {
		ranges = append(ranges, [2]int64{int64(s.Offset), int64(s.Offset) + int64(s.Size)})
		hashed += int64(s.Size)
	}
	if hashed > f.contentEnd() {
		return damaged("its sections overlap: they and the headers have %d bytes, and there are %d", hashed, f.contentEnd())
	}
	// Firmware hashes as much as is left, and takes it from the end.
	ranges = append(ranges, [2]int64{hashed, f.contentEnd()})
	for _, r := range ranges {
		if err := copyRange(h, f.r, r[0], r[1]); err != nil {
			return err
		}
	}
	return writeZeros(h, zeros)
}

// copyRange copies the bytes from begin to end.
func copyRange(w io.Writer, r io.ReaderAt, begin, end int64) error {
	n, err := io.Copy(w, io.NewSectionReader(r, begin, end-begin))
	if err == nil && n != end-begin {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func writeZeros(w io.Writer, n int64) error {
	var zeros [4096]byte
	for n > 0 {
		m := min(n, int64(len(zeros)))
		if _, err := w.Write(zeros[:m]); err != nil {
			return err
		}
		n -= m
	}
	return nil
}

func roundUp(n, to int64) int64 { return (n + to - 1) &^ (to - 1) }
