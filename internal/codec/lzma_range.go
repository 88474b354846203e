package codec

// lzmaSymbol is more than the bytes of input that a literal or a match can take: 22 bits that take
// at most 6.05 bits each, and 26 without probabilities.
const lzmaSymbol = 24

// lzmaRange is a range coder while it decodes one literal or match. It is small enough for the
// registers of a CPU, so its methods return what it is after them.
type lzmaRange struct {
	in          *[lzmaSymbol]byte
	at          int // how much of in is read
	width, code uint32
}

// fill comes before each bit.
func (r lzmaRange) fill() lzmaRange {
	if r.width < 1<<24 {
		r.width <<= 8
		r.code = r.code<<8 | uint32(r.in[r.at])
		r.at++
	}
	return r
}

// bit decodes a bit that mostly is what its probability says.
func (r lzmaRange) bit(p *uint16) (lzmaRange, uint32) {
	bound := r.width >> 11 * uint32(*p)
	if r.code < bound {
		r.width = bound
		*p += (1<<11 - *p) >> 5
		return r, 0
	}
	r.width -= bound
	r.code -= bound
	*p -= *p >> 5
	return r, 1
}

// even decodes a bit that a CPU cannot predict: it computes both ways and selects one, without a
// jump.
func (r lzmaRange) even(p *uint16) (_ lzmaRange, bit uint32) {
	bound := r.width >> 11 * uint32(*p)
	width, code := bound, r.code
	if r.code >= bound {
		width = r.width - bound
	}
	if r.code >= bound {
		code -= bound
	}
	if r.code >= bound {
		bit = 1
	}
	*p -= uint16(int32(uint32(*p)-(bit-1)&lzmaZero) >> 5)
	return lzmaRange{r.in, r.at, width, code}, bit
}

// lzmaZero rounds the change of a probability by a bit that is 0: (1<<11 - p) >> 5 is
// -((p - lzmaZero) >> 5).
const lzmaZero = 1<<11 - 31

// tree decodes a number of some bits, highest first.
func (r lzmaRange) tree(p []uint16, bits int) (lzmaRange, uint32) {
	node, bit := uint32(1), uint32(0)
	for range bits {
		r, bit = r.fill().bit(&p[node])
		node = node<<1 | bit
	}
	return r, node - 1<<bits
}

// reverse decodes a number of some bits, lowest first.
func (r lzmaRange) reverse(p []uint16, bits int) (lzmaRange, uint32) {
	node, value, bit := uint32(1), uint32(0), uint32(0)
	for i := range bits {
		r, bit = r.fill().bit(&p[node])
		node = node<<1 | bit
		value |= bit << i
	}
	return r, value
}

// direct decodes a number of some bits that have no probabilities.
func (r lzmaRange) direct(bits int) (lzmaRange, uint32) {
	var value uint32
	for range bits {
		r = r.fill()
		r.width >>= 1
		bit := uint32(0)
		if r.code >= r.width {
			bit = 1
		}
		r.code -= r.width & -bit
		value = value<<1 | bit
	}
	return r, value
}

// literal decodes a byte.
func (r lzmaRange) literal(p *[lzmaLiteral]uint16) (lzmaRange, byte) {
	node, bit := uint32(1), uint32(0)
	for node < 0x100 {
		r, bit = r.fill().even(&p[node])
		node = node<<1 | bit
	}
	return r, byte(node)
}

// unexpected decodes a byte that probably is not the expected one.
func (r lzmaRange) unexpected(p *[lzmaLiteral]uint16, expected uint32) (lzmaRange, byte) {
	node, bit, same := uint32(1), uint32(0), uint32(0x100)
	for node < 0x100 {
		expected <<= 1
		want := expected & same
		r, bit = r.fill().even(&p[same+want+node])
		node = node<<1 | bit
		same &= want ^ (bit - 1)
	}
	return r, byte(node)
}
