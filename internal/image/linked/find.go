package linked

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Symbols of a kernel, and sections of vmlinux and of its parts.
const (
	startSymbol = "__initramfs_start"
	sizeSymbol  = "__initramfs_size"

	initSection = ".init.data"
)

// maxSymbols is the size of the largest table of symbols that is read, in bytes: many times what
// kernels have.
const maxSymbols = 32 << 20

// find finds the image in a decompressed kernel.
func find(ctx context.Context, kernel *io.SectionReader) (*io.SectionReader, error) {
	var magic [4]byte
	if _, err := kernel.ReadAt(magic[:], 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if string(magic[:]) == elf.ELFMAG {
		return findInELF(ctx, kernel)
	}
	s := searcher{ctx: ctx, kernel: kernel, order: binary.LittleEndian, word: 8}
	return s.find(0, kernel.Size())
}

// findInELF finds the image in a vmlinux: by its symbols, or else by its size.
func findInELF(ctx context.Context, kernel *io.SectionReader) (*io.SectionReader, error) {
	f, err := elf.NewFile(kernel)
	if err != nil {
		// What package elf says differs between versions of Go.
		return nil, fmt.Errorf("%w: it is not a whole ELF file", ErrDamaged)
	}
	defer f.Close()
	s := searcher{ctx: ctx, kernel: kernel, order: f.ByteOrder, word: 8}
	if f.Class == elf.ELFCLASS32 {
		s.word = 4
	}
	if found, err := s.findBySymbols(f); err != nil || found != nil {
		return found, err
	}
	data := f.Section(initSection)
	switch {
	case data == nil && f.Section(".text") != nil:
		return nil, ErrNotKernel // some other program
	case data == nil: // without sections
		return s.find(0, kernel.Size())
	case data.Type != elf.SHT_PROGBITS || data.Offset > uint64(kernel.Size()) || data.FileSize > uint64(kernel.Size())-data.Offset:
		return nil, fmt.Errorf("%w: its section %s is not in the file", ErrDamaged, initSection)
	}
	return s.find(int64(data.Offset), int64(data.FileSize))
}

// findBySymbols returns nil if the kernel has no such symbols.
func (s *searcher) findBySymbols(f *elf.File) (*io.SectionReader, error) {
	table := f.SectionByType(elf.SHT_SYMTAB)
	if table == nil || int(table.Link) >= len(f.Sections) || max(table.Size, f.Sections[table.Link].Size) > maxSymbols {
		return nil, nil
	}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("%w: its symbols: %w", ErrDamaged, err)
	}
	addresses := map[string]uint64{}
	for _, symbol := range symbols {
		if symbol.Section != elf.SHN_UNDEF && (symbol.Name == startSymbol || symbol.Name == sizeSymbol) {
			addresses[symbol.Name] = symbol.Value
		}
	}
	if len(addresses) < 2 {
		return nil, nil
	}
	start, startOK := fileOffset(f, addresses[startSymbol])
	at, atOK := fileOffset(f, addresses[sizeSymbol])
	if !startOK || !atOK || start > at {
		return nil, fmt.Errorf("%w: its symbols %s and %s are not in the file", ErrDamaged, startSymbol, sizeSymbol)
	}
	word := make([]byte, s.word)
	if _, err := s.kernel.ReadAt(word, at); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, sizeSymbol, err)
	}
	size := s.wordOf(word)
	switch {
	case size > uint64(at-start):
		return nil, fmt.Errorf("%w: %s is %d, and it is %d bytes after %s", ErrDamaged, sizeSymbol, size, at-start, startSymbol)
	case size == 0:
		return nil, ErrNone
	}
	return io.NewSectionReader(s.kernel, start, int64(size)), nil
}

// fileOffset returns where the file has what is at an address.
func fileOffset(f *elf.File, address uint64) (int64, bool) {
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type == elf.SHT_PROGBITS && address >= s.Addr && address-s.Addr < s.FileSize {
			at := s.Offset + address - s.Addr
			return int64(at), int64(at) >= 0
		}
	}
	return 0, false
}

// magics begin an archive, or a compressed one.
var magics = []string{
	"07070",
	"\x1f\x8b\x08",              // gzip
	"\x28\xb5\x2f\xfd",          // zstd
	"\xfd7zXZ\x00",              // xz
	"\x5d\x00\x00",              // lzma
	"\x02\x21\x4c\x18",          // lz4
	"\x89LZO\x00\x0d\x0a\x1a\n", // lzo
	"BZh",                       // bzip2
}

const (
	startAlign = 4 // of the image
	sizeAlign  = 8 // of its size
	maxMagic   = 9 // the length of the longest of magics
	chunk      = 1 << 20
)

// Limits of a search. Kernels have one match, or one more for each kernel that is in the image.
const (
	maxMatches = 1 << 10
	maxTries   = 32
)

// searcher searches a kernel for an image by its size: a word that is as many bytes after a magic number.
type searcher struct {
	ctx    context.Context
	kernel *io.SectionReader
	order  binary.ByteOrder
	word   int // the bytes of a word
}

func (s *searcher) wordOf(b []byte) uint64 {
	if s.word == 4 {
		return uint64(s.order.Uint32(b))
	}
	return s.order.Uint64(b)
}

// match is where an image may be.
type match struct{ start, size int64 }

// find searches length bytes from a position on. Of several images, the largest is that of the kernel:
// the others are in it.
func (s *searcher) find(from, length int64) (*io.SectionReader, error) {
	if length > arch.MaxRoom {
		return nil, fmt.Errorf("it has more than %d GiB, which no kernel has", int64(arch.MaxRoom)>>30)
	}
	matches, err := s.matches(from, from+length)
	if err != nil {
		return nil, err
	}
	for range min(len(matches), maxTries) {
		largest := 0
		for i, m := range matches {
			if m.size > matches[largest].size {
				largest = i
			}
		}
		m := matches[largest]
		matches[largest].size = -1
		if isImage(s.ctx, io.NewSectionReader(s.kernel, m.start, m.size)) {
			return io.NewSectionReader(s.kernel, m.start, m.size), nil
		}
	}
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	return nil, ErrNone
}

// matches returns where images may be from one position to another.
func (s *searcher) matches(from, to int64) ([]match, error) {
	from = (from + startAlign - 1) &^ (startAlign - 1)
	if from >= to {
		return nil, nil
	}
	starts := make(bitmap, (to-from)/startAlign/8+1) // where magics are
	var all []match
	buffer := make([]byte, chunk+maxMagic)
	for at := from &^ (sizeAlign - 1); at < to; at += chunk {
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		n, err := s.kernel.ReadAt(buffer[:min(int64(len(buffer)), to-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		data := buffer[:n]
		for i := 0; i < min(n, chunk); i += startAlign {
			position := at + int64(i)
			if position >= from && hasMagic(data[i:]) {
				starts.set((position - from) / startAlign)
			}
			if position%sizeAlign != 0 || i+s.word > n {
				continue
			}
			size := s.wordOf(data[i:])
			if size == 0 || size > uint64(max(0, position-from)) {
				continue
			}
			// The image ends up to 7 bytes before its size.
			first := (position - int64(size)) &^ (startAlign - 1)
			for _, start := range []int64{first, first - startAlign} {
				if start >= from && position-start-int64(size) < sizeAlign && starts.has((start-from)/startAlign) && len(all) < maxMatches {
					all = append(all, match{start, int64(size)})
				}
			}
		}
	}
	return all, nil
}

func hasMagic(data []byte) bool {
	if len(data) == 0 || !bytes.Contains([]byte("0\x1f\x28\xfd\x5d\x02\x89B"), data[:1]) {
		return false
	}
	for _, magic := range magics {
		if len(data) >= len(magic) && string(data[:len(magic)]) == magic {
			return true
		}
	}
	return false
}

// bitmap is a set of small numbers.
type bitmap []byte

func (b bitmap) set(n int64)      { b[n/8] |= 1 << (n % 8) }
func (b bitmap) has(n int64) bool { return b[n/8]&(1<<(n%8)) != 0 }
