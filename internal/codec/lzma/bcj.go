package lzma

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// A filter of machine code (branch, call, jump) makes calls of one function equal bytes: it
// adds the position of an instruction to the relative address in it, wherever bytes look
// like such an instruction. A bcjDecoder subtracts it again.
//
// It converts p, whose first byte is at position at of the block, in place, and returns how
// many bytes are finished. It must see the others again with what follows them. At the end
// of a block they stay as they are.
type bcjDecoder func(p []byte, at uint32) int

// bcjFilter is a filter of the .xz file format. Its name is that of the option of xz, and in
// capital letters that of the kernel's option CONFIG_XZ_DEC_.
type bcjFilter struct {
	id         int64
	name       string
	align      uint32 // of the start offset in a block's header
	kernels    string // the versions that have it, if not all do (lib/xz/Kconfig)
	newDecoder func() bcjDecoder
}

var bcjFilters = []bcjFilter{
	{4, "x86", 1, "", newX86Decoder},
	{5, "powerpc", 4, "", words(binary.BigEndian, powerPCCall)},
	{6, "ia64", 16, "Linux 6.6 and older", stateless(ia64Bundles)},
	{7, "arm", 4, "", words(binary.LittleEndian, armCall)},
	{8, "armthumb", 2, "", stateless(armThumbCalls)},
	{9, "sparc", 4, "", words(binary.BigEndian, sparcCall)},
	{10, "arm64", 4, "Linux 6.12 and newer", words(binary.LittleEndian, arm64Address)},
	{11, "riscv", 2, "Linux 6.12 and newer", stateless(riscvAddresses)},
}

func findBCJ(id int64) *bcjFilter {
	for i := range bcjFilters {
		if bcjFilters[i].id == id {
			return &bcjFilters[i]
		}
	}
	return nil
}

// FilterNames returns the names of all filters (see XZReader.Filters).
func FilterNames() []string {
	var names []string
	for _, f := range bcjFilters {
		names = append(names, f.name)
	}
	return names
}

// FilterKernels returns which kernels have a filter (see XZReader.Filters) if not all do, such
// as "Linux 6.12 and newer". Else it returns "".
func FilterKernels(name string) string {
	for _, f := range bcjFilters {
		if f.name == name {
			return f.kernels
		}
	}
	return ""
}

func stateless(d bcjDecoder) func() bcjDecoder { return func() bcjDecoder { return d } }

// words returns the decoder of an architecture whose instructions are words at multiples of
// four bytes.
func words(order binary.ByteOrder, convert func(word, at uint32) uint32) func() bcjDecoder {
	return stateless(func(p []byte, at uint32) int {
		n := len(p) &^ 3
		for i := 0; i < n; i += 4 {
			order.PutUint32(p[i:], convert(order.Uint32(p[i:]), at+uint32(i)))
		}
		return n
	})
}

func powerPCCall(word, at uint32) uint32 {
	if word&0xfc000003 != 0x48000001 { // bl
		return word
	}
	return word&0xfc000003 | (word-at)&0x03fffffc
}

func armCall(word, at uint32) uint32 {
	if word>>24 != 0xeb { // bl, always
		return word
	}
	return 0xeb000000 | (word-(at+8)>>2)&0x00ffffff
}

// sparcCall converts calls of at most 8 MiB away: bits 22 to 29 extend the sign.
func sparcCall(word, at uint32) uint32 {
	if word>>22 != 0x100 && word>>22 != 0x1ff {
		return word
	}
	const call, sign = 0x40000000, 1 << 22
	word -= at >> 2
	return call | (-(word & sign))&0x3fc00000 | word&(sign|sign-1)
}

func arm64Address(word, at uint32) uint32 {
	const bl, adrp = 0x94000000, 0x90000000
	switch {
	case word&0xfc000000 == bl:
		return bl | (word-at>>2)&0x03ffffff
	case word&0x9f000000 == adrp:
		pages := word>>29&3 | word>>3&0x1ffffc
		if (pages+0x20000)&0x1c0000 != 0 {
			return word // 512 MiB away or more
		}
		pages -= at >> 12
		return word&0x9000001f | pages&3<<29 | pages&0x3fffc<<3 | (-(pages & 0x20000))&0xe00000
	}
	return word
}

// armThumbCalls converts bl, a pair of halfwords with eleven bits of the address each.
func armThumbCalls(p []byte, at uint32) int {
	i := 0
	for ; i+4 <= len(p); i += 2 {
		high, low := uint32(binary.LittleEndian.Uint16(p[i:])), uint32(binary.LittleEndian.Uint16(p[i+2:]))
		if high>>11 != 0x1e || low>>11 != 0x1f {
			continue
		}
		address := high&0x7ff<<11 | low&0x7ff
		address -= (at + uint32(i) + 4) >> 1
		binary.LittleEndian.PutUint16(p[i:], uint16(0xf000|address>>11&0x7ff))
		binary.LittleEndian.PutUint16(p[i+2:], uint16(0xf800|address&0x7ff))
		i += 2
	}
	return i
}

// ia64Branches has a bit for each slot of a bundle that can be a branch, by template.
var ia64Branches = [32]byte{16: 4, 4, 6, 6, 22: 7, 7, 4, 4, 28: 4, 4}

// ia64Bundles converts br.call and relative branches: a bundle of 16 bytes has a template of
// 5 bits and three instructions of 41 bits.
func ia64Bundles(p []byte, at uint32) int {
	n := len(p) &^ 15
	for i := 0; i < n; i += 16 {
		slots := ia64Branches[p[i]&0x1f]
		for slot := range 3 {
			if slots>>slot&1 == 0 {
				continue
			}
			bit := 5 + 41*slot
			field := p[i+bit/8:][:6]
			word := uint64(binary.LittleEndian.Uint32(field)) | uint64(binary.LittleEndian.Uint16(field[4:]))<<32
			instruction := word >> (bit % 8)
			if instruction>>37&0xf != 5 || instruction>>9&7 != 0 {
				continue
			}
			const address, sign = 0xfffff << 13, 1 << 36
			target := uint32(instruction>>13&0xfffff | instruction>>36&1<<20)
			target -= (at + uint32(i)) >> 4
			instruction &^= address | sign
			instruction |= uint64(target&0xfffff)<<13 | uint64(target>>20&1)<<36
			word = word&(1<<(bit%8)-1) | instruction<<(bit%8)
			binary.LittleEndian.PutUint32(field, uint32(word))
			binary.LittleEndian.PutUint16(field[4:], uint16(word>>32))
		}
	}
	return n
}

// newX86Decoder converts call and jmp with addresses of 32 bits. The state says which of
// the last three bytes looked like an opcode and were not converted, the latest in the
// lowest bit: these bytes may be part of an address, so they decide whether the next opcode
// is one.
func newX86Decoder() bcjDecoder {
	var opcodes uint32
	return func(p []byte, at uint32) int {
		i := 0
		for i+5 <= len(p) {
			if p[i]&0xfe != 0xe8 {
				opcodes = opcodes << 1 & 7
				i++
				continue
			}
			oldest := bits.Len32(opcodes) // how many bytes before
			if opcodes != 0 && (bits.OnesCount32(opcodes) > 1 || isX86Sign(p[i+4-oldest])) || !isX86Sign(p[i+4]) {
				opcodes = (opcodes<<1 | 1) & 7
				i++
				continue
			}
			source := binary.LittleEndian.Uint32(p[i+1:])
			var target uint32
			for {
				target = source - (at + uint32(i) + 5)
				if opcodes == 0 || !isX86Sign(byte(target>>(24-8*oldest))) {
					break
				}
				source = target ^ (1<<(32-8*oldest) - 1)
			}
			const sign = 1 << 24 // of an address of 25 bits
			binary.LittleEndian.PutUint32(p[i+1:], target&(sign-1)|-(target&sign))
			opcodes = 0
			i += 5
		}
		return i
	}
}

// isX86Sign reports whether b can be the highest byte of the address of a near call.
func isX86Sign(b byte) bool { return b == 0 || b == 0xff }

// riscvAddresses converts jal, and pairs of auipc and the instruction that uses its result.
// The encoder has exchanged the bits of such a pair, with the address in big endian, and has
// marked it by the destination x2 of auipc. A real auipc to x2 looks like an exchanged pair
// of another register.
func riscvAddresses(p []byte, at uint32) int {
	const auipc, x2 = 0x17, 2 << 7
	i := 0
	for i+8 <= len(p) {
		pc := at + uint32(i)
		word := binary.LittleEndian.Uint32(p[i:])
		switch {
		case p[i] == 0xef && p[i+1]&0x0d == 0: // jal, to x1 or x5
			address := binary.BigEndian.Uint32(p[i:])<<1&0x1fffe | uint32(p[i+1]&0xf0)<<13
			address -= pc
			// Bits 19 to 12, 11, 10 to 1, and 20 of the address, from bit 12 of the word.
			word = word&0xfff | address&0xff000 | address>>11&1<<20 | address>>1&0x3ff<<21 | address>>20&1<<31
			binary.LittleEndian.PutUint32(p[i:], word)
			i += 4
		case word&0x7f != auipc:
			i += 2
		case word&0xe80 != 0: // to another register than x0 and x2
			second := binary.LittleEndian.Uint32(p[i+4:])
			if (word<<8^(second-3))&0xf8003 != 0 {
				i += 6
				continue
			}
			binary.LittleEndian.PutUint32(p[i:], auipc|x2|second<<12)
			binary.LittleEndian.PutUint32(p[i+4:], word&0xfffff000+second>>20)
			i += 8
		default:
			register := word >> 27
			if (word-0x3117)<<18 >= register&0x1d {
				i += 4
				continue
			}
			address := binary.BigEndian.Uint32(p[i+4:]) - pc
			binary.LittleEndian.PutUint32(p[i:], auipc|register<<7|(address+0x800)&0xfffff000)
			binary.LittleEndian.PutUint32(p[i+4:], word>>12|address<<20)
			i += 8
		}
	}
	return i
}

// bcjReader converts what r reads.
type bcjReader struct {
	r      io.Reader
	decode bcjDecoder
	at     uint32 // position of the first byte of buf that is not converted
	// buf has bytes that are read, up to read, converted ones, up to done, and others.
	buf        []byte
	read, done int
	err        error
}

// bcjBuffer is how much is converted at once, in bytes. A decoder leaves less than 16.
const bcjBuffer = 16 << 10

func (b *bcjReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for b.read == b.done {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.buf[b.read:b.done])
	b.read += n
	return n, nil
}

func (b *bcjReader) fill() {
	if b.buf == nil {
		b.buf = make([]byte, 0, bcjBuffer)
	}
	rest := copy(b.buf[:cap(b.buf)], b.buf[b.done:])
	n, err := b.r.Read(b.buf[rest:cap(b.buf)])
	b.buf = b.buf[:rest+n]
	b.read, b.err = 0, err
	b.done = b.decode(b.buf, b.at)
	b.at += uint32(b.done)
	if err == io.EOF {
		b.done = len(b.buf)
	}
}

// deltaReader adds to each byte what is distance bytes before it.
type deltaReader struct {
	r        io.Reader
	distance int
	last     [256]byte
	at       byte
}

func (d *deltaReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	for i := range p[:n] {
		p[i] += d.last[byte(int(d.at)-d.distance)]
		d.last[d.at] = p[i]
		d.at++
	}
	return n, err
}
