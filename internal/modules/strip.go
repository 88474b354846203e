package modules

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// debugSections begin the names of sections that hold debug information, which the kernel does
// not load. Its own tools do not read them from a module either: they have .BTF, which stays.
var debugSections = []string{".debug", ".zdebug", ".gdb_index", ".gnu.debuglto_", ".stab"}

// stripDebug returns a module, which has no signature, without its debug information. The
// sections that held it stay in the table of sections, unused (SHT_NULL), so that symbols and
// relocations keep their numbers: the kernel skips them (elf_validity_cache_sechdrs in
// kernel/module/main.c). It returns the module itself if it has none.
func stripDebug(module []byte) ([]byte, error) {
	s, err := readSections(module)
	if err != nil {
		return nil, err
	}
	if s.table < uint64(s.headerSize) {
		return nil, fmt.Errorf("%w: its section headers overlap the ELF header", ErrDamaged)
	}
	drop := make([]bool, s.count)
	found := false
	for i := range s.count {
		if s.flags(i)&uint64(elf.SHF_ALLOC) == 0 && isDebug(s.name(i)) {
			drop[i], found = true, true
		}
	}
	if !found {
		return module, nil
	}
	// The sections stay in the order of their contents.
	out := append([]byte{}, module[:s.headerSize]...)
	table := append([]byte{}, module[s.table:s.table+uint64(s.count*s.entrySize)]...)
	moved := &sections{data: table, order: s.order, long: s.long, entrySize: s.entrySize, count: s.count}
	for _, i := range s.byOffset() {
		switch {
		case drop[i]:
			clear(moved.header(i))
			continue
		case s.kind(i) == elf.SHT_NULL:
			continue
		}
		if s.align(i) > maxAlign {
			return nil, fmt.Errorf("%w: its section %d is aligned to %d bytes: want at most %d", ErrDamaged, i, s.align(i), maxAlign)
		}
		for align := max(s.align(i), 1); uint64(len(out))%align != 0; {
			out = append(out, 0)
		}
		moved.setOffset(i, uint64(len(out)))
		out = append(out, s.content(i)...)
		// Sections that share their contents could make the file much larger.
		if len(out) > 2*len(module)+s.count*maxAlign/512 {
			return nil, fmt.Errorf("%w: its sections overlap", ErrDamaged)
		}
	}
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	if s.long {
		s.order.PutUint64(out[40:], uint64(len(out)))
	} else {
		s.order.PutUint32(out[32:], uint32(len(out)))
	}
	return append(out, table...), nil
}

// isDebug reports whether a section, or the one that its relocations are for, holds debug
// information.
func isDebug(name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(name, ".rela"), ".rel")
	for _, prefix := range debugSections {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// maxAlign is the largest alignment of a section, in bytes: that of a huge page.
const maxAlign = 2 << 20

// byOffset returns the numbers of the sections in the order of their contents.
func (s *sections) byOffset() []int {
	order := make([]int, s.count)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.offset(a), s.offset(b)) })
	return order
}
