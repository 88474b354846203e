package codec

import (
	"encoding/binary"
	"math/bits"
)

// LZO1X, by the kernel's Documentation/staging/lzo.rst. An instruction copies a match from
// earlier content and says how many literals follow, at most three. Longer runs of
// literals are instructions of their own.
const (
	lzo1xMatch = 4 // the shortest match that is searched for, in bytes

	lzo1xNear      = 0x0800 // the longest distance in an instruction of two bytes
	lzo1xNearMatch = 8      // and its longest match
	lzo1xMiddle    = 0x4000 // the longest distance in an instruction of three bytes or more
	lzo1xFar       = 0xbfff // the longest distance of all

	lzo1xTableBits = 14
)

// lzo1xTable maps the hash of four bytes to the position where they occurred last, plus
// 1; 0 means never.
type lzo1xTable [1 << lzo1xTableBits]uint32

// appendLZO1X compresses src, which is not empty, and appends the stream to dst. It
// searches for matches as LZO1X-1 does: it tries one candidate at each position, and its
// steps grow while it finds none.
func appendLZO1X(dst, src []byte, table *lzo1xTable) []byte {
	*table = lzo1xTable{}
	start := len(dst)
	literals, at := 0, 0 // literals is where the content that is not appended yet begins
	for at+lzo1xMatch <= len(src) {
		word := binary.LittleEndian.Uint32(src[at:])
		slot := &table[word*0x1824429d>>(32-lzo1xTableBits)]
		candidate := int(*slot) - 1
		*slot = uint32(at) + 1
		if candidate < 0 || at-candidate > lzo1xFar || binary.LittleEndian.Uint32(src[candidate:]) != word {
			at += 1 + (at-literals)>>5
			continue
		}
		length := lzo1xMatch + commonPrefix(src[candidate+lzo1xMatch:], src[at+lzo1xMatch:])
		dst = appendLZO1XLiterals(dst, src[literals:at], len(dst) == start)
		dst = appendLZO1XMatch(dst, length, at-candidate)
		at += length
		literals = at
	}
	dst = appendLZO1XLiterals(dst, src[literals:], len(dst) == start)
	return append(dst, 0x11, 0, 0) // the end
}

// commonPrefix returns the length of the common prefix of a and b; b is the shorter one.
func commonPrefix(a, b []byte) int {
	n := 0
	for ; n+8 <= len(b); n += 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func appendLZO1XLiterals(dst, literals []byte, first bool) []byte {
	switch n := len(literals); {
	case n == 0:
		return dst
	case first && n <= 238:
		dst = append(dst, byte(17+n))
	case n <= 3:
		dst[len(dst)-2] |= byte(n) // in the previous match
	case n <= 18:
		dst = append(dst, byte(n-3))
	default:
		dst = appendLZO1XLength(append(dst, 0), n-18)
	}
	return append(dst, literals...)
}

func appendLZO1XMatch(dst []byte, length, distance int) []byte {
	if length <= lzo1xNearMatch && distance <= lzo1xNear {
		distance--
		return append(dst, byte(length-1)<<5|byte(distance&7)<<2, byte(distance>>3))
	}
	instruction, longest := byte(0x20), 33
	if distance <= lzo1xMiddle {
		distance--
	} else {
		distance -= 0x4000
		instruction, longest = 0x10|byte(distance>>11&8), 9
	}
	if length <= longest {
		dst = append(dst, instruction|byte(length-2))
	} else {
		dst = appendLZO1XLength(append(dst, instruction), length-longest)
	}
	return append(dst, byte(distance<<2), byte(distance>>6))
}

// appendLZO1XLength appends n, which is not 0, as a zero for each 255 and a rest.
func appendLZO1XLength(dst []byte, n int) []byte {
	for ; n > 255; n -= 255 {
		dst = append(dst, 0)
	}
	return append(dst, byte(n))
}
