package codec

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
)

// Where lzmaDecoder.probabilities has those of what.
const (
	lzmaStates    = 12
	lzmaPosStates = 1 << 4

	lzmaIsMatch    = 0
	lzmaIsRep      = lzmaIsMatch + lzmaStates*lzmaPosStates
	lzmaIsRep0     = lzmaIsRep + lzmaStates
	lzmaIsRep1     = lzmaIsRep0 + lzmaStates
	lzmaIsRep2     = lzmaIsRep1 + lzmaStates
	lzmaIsRep0Long = lzmaIsRep2 + lzmaStates
	lzmaSlots      = lzmaIsRep0Long + lzmaStates*lzmaPosStates
	lzmaSpecial    = lzmaSlots + 4*64
	lzmaAlign      = lzmaSpecial + 128
	lzmaMatchLen   = lzmaAlign + 16
	lzmaRepLen     = lzmaMatchLen + lzmaLenSize
	lzmaFixed      = lzmaRepLen + lzmaLenSize

	// In the probabilities of a length:
	lzmaLenLow  = 2
	lzmaLenMid  = lzmaLenLow + lzmaPosStates*8
	lzmaLenHigh = lzmaLenMid + lzmaPosStates*8
	lzmaLenSize = lzmaLenHigh + 256

	lzmaLiteral = 0x300 // probabilities of a literal in one context
	// lzmaContexts is as many as LZMA2 allows. The only .lzma streams that the kernel
	// detects (lib/decompress.c) have half as many.
	lzmaContexts = 1 << 4

	lzmaHalf   = 1 << 10
	lzmaMinLen = 2
)

var errLZMACorrupt = errors.New("corrupt data")

// lzmaDecoder decodes LZMA, the format below .lzma and LZMA2. Its memory grows with the
// content, up to the size of the dictionary, and it can be used again. The libraries'
// decoders allocate the dictionary for each member, however small its content.
type lzmaDecoder struct {
	// The range coder. The input ends with lzmaSymbol zeros, or more returns what is after at.
	in          []byte
	at          int
	inputSize   int // without the zeros
	more        func() error
	width, code uint32

	ended  bool // an end mark was read
	state  int
	reps   [4]uint32
	length int // of a match: what is not copied yet

	literalContext, literalPosition, positions uint32 // properties; the last two are masks
	probabilities                              [lzmaFixed]uint16
	// literals has the probabilities of each context. Those of context i are from before
	// the last reset if reset[i] is not resets.
	literals [lzmaContexts * lzmaLiteral]uint16
	reset    [lzmaContexts]uint32
	resets   uint32

	// The dictionary is a ring that grows up to size bytes.
	ring     []byte
	size     int
	end      int   // where the next byte goes
	read     int   // where the content begins that is not read yet; it is before end
	position int64 // number of bytes since the dictionary was empty
}

// lzmaPiece is how much is decoded at once, and the size that the ring begins with.
const lzmaPiece = 64 << 10

// begin empties the dictionary, which may grow to size bytes.
func (d *lzmaDecoder) begin(size int) {
	d.size = max(size, 1)
	d.ring = d.ring[:min(len(d.ring), d.size)]
	d.end, d.read, d.position, d.length = 0, 0, 0, 0
}

// setProperties takes lc, lp and pb in a byte. It reports whether they are allowed.
func (d *lzmaDecoder) setProperties(p byte) bool {
	if p >= 9*5*5 {
		return false
	}
	lc, lp, pb := p%9, p/9%5, p/45
	d.literalContext, d.literalPosition, d.positions = uint32(lc), 1<<lp-1, 1<<pb-1
	return 1<<(lc+lp) <= lzmaContexts
}

func (d *lzmaDecoder) resetState() {
	d.state, d.reps = 0, [4]uint32{}
	for i := range d.probabilities {
		d.probabilities[i] = lzmaHalf
	}
	if d.resets++; d.resets == 0 {
		clear(d.reset[:])
		d.resets = 1
	}
}

// start reads the first bytes of a range coder. The input is in, which has lzmaSymbol zeros at its
// end, unless there is more: a function that sets in, at and inputSize, or returns an error.
func (d *lzmaDecoder) start(in []byte, more func() error) error {
	d.in, d.at, d.inputSize, d.more, d.ended = in, 0, len(in)-lzmaSymbol, more, false
	if more != nil {
		d.inputSize = 0
	}
	if err := d.need(); err != nil {
		return err
	}
	d.width, d.code = 1<<32-1, binary.BigEndian.Uint32(d.in[d.at+1:])
	d.at += 5
	if d.in[d.at-5] != 0 {
		return errLZMACorrupt
	}
	return d.check()
}

// need makes lzmaSymbol bytes of input available. Some may be zeros after its end.
func (d *lzmaDecoder) need() error {
	if len(d.in)-d.at >= lzmaSymbol {
		return nil
	}
	if d.more == nil {
		return errLZMACorrupt
	}
	return d.more()
}

// check returns an error if more of the input was read than there is.
func (d *lzmaDecoder) check() error {
	switch {
	case d.at <= d.inputSize:
		return nil
	case d.more == nil:
		return errLZMACorrupt
	}
	return io.ErrUnexpectedEOF
}

// beginSymbol returns the range coder for a literal or a match. endSymbol keeps what it is after.
func (d *lzmaDecoder) beginSymbol() lzmaRange {
	return lzmaRange{(*[lzmaSymbol]byte)(d.in[d.at:]), 0, d.width, d.code}
}

func (d *lzmaDecoder) endSymbol(r lzmaRange) {
	d.at, d.width, d.code = d.at+r.at, r.width, r.code
}

// finish returns an error unless a range coder may end here.
func (d *lzmaDecoder) finish() error {
	if err := d.need(); err != nil {
		return err
	}
	d.endSymbol(d.beginSymbol().fill())
	if err := d.check(); err != nil {
		return err
	}
	if d.code != 0 || d.length != 0 {
		return errLZMACorrupt
	}
	return nil
}

// room makes the ring's next bytes free, up to most, and returns their number. All content
// must have been read.
func (d *lzmaDecoder) room(most int) int {
	if d.end == len(d.ring) {
		if d.end == d.size {
			d.end = 0
		} else {
			ring := make([]byte, min(d.size, max(lzmaPiece, 2*len(d.ring))))
			copy(ring, d.ring)
			d.ring = ring
		}
		d.read = d.end
	}
	return min(most, lzmaPiece, len(d.ring)-d.end)
}

// unread returns the content that is not read yet.
func (d *lzmaDecoder) unread() []byte { return d.ring[d.read:d.end] }

// store takes n bytes of content that are not compressed, up to the room.
func (d *lzmaDecoder) store(r io.Reader, n int) error {
	if _, err := io.ReadFull(r, d.ring[d.end:d.end+n]); err != nil {
		return unexpected(err)
	}
	d.end += n
	d.position += int64(n)
	return nil
}

// decode decodes n bytes, up to the room, or up to an end mark.
func (d *lzmaDecoder) decode(n int) error {
	for stop := d.end + n; d.end < stop && !d.ended; {
		if d.length > 0 {
			d.copyMatch(min(d.length, stop-d.end))
			continue
		}
		if err := d.need(); err != nil {
			return err
		}
		r, bit := d.beginSymbol(), uint32(0)
		position := int(uint32(d.position) & d.positions)
		if r, bit = r.fill().bit(&d.probabilities[lzmaIsMatch+d.state*lzmaPosStates+position]); bit == 0 {
			d.endSymbol(d.literal(r))
			continue
		}
		if r, bit = r.fill().bit(&d.probabilities[lzmaIsRep+d.state]); bit == 0 {
			r = d.match(r, position)
		} else {
			r = d.repeat(r, position)
		}
		d.endSymbol(r)
		if distance := int64(d.reps[0]); !d.ended && (distance >= d.position || distance >= int64(d.size)) {
			return cmp.Or(d.check(), errLZMACorrupt)
		}
	}
	return d.check()
}

// before returns the byte at a distance before the next one; 0 is the last byte.
func (d *lzmaDecoder) before(distance int) byte {
	at := d.end - 1 - distance
	if at < 0 {
		at += len(d.ring)
	}
	return d.ring[at]
}

func (d *lzmaDecoder) literal(r lzmaRange) lzmaRange {
	var last, value byte
	if d.position > 0 {
		last = d.before(0)
	}
	context := (uint32(d.position)&d.literalPosition)<<d.literalContext | uint32(last)>>(8-d.literalContext)
	p := (*[lzmaLiteral]uint16)(d.literals[context*lzmaLiteral:])
	if d.reset[context] != d.resets {
		d.reset[context] = d.resets
		for i := range p {
			p[i] = lzmaHalf
		}
	}
	switch {
	case d.state < 4:
		d.state = 0
		r, value = r.literal(p)
	case d.state < 7:
		d.state -= 3
		r, value = r.literal(p)
	default: // after a match: the byte at its distance is expected not to come
		r, value = r.unexpected(p, uint32(d.before(int(d.reps[0]))))
		if d.state < 10 {
			d.state -= 3
		} else {
			d.state -= 6
		}
	}
	d.ring[d.end] = value
	d.end++
	d.position++
	return r
}

// after sets the state after a match, which is different after a literal and after another
// match.
func (d *lzmaDecoder) after(literal, match int) {
	if d.state < 7 {
		d.state = literal
	} else {
		d.state = match
	}
}

// match decodes a match at a new distance, or the end mark.
func (d *lzmaDecoder) match(r lzmaRange, position int) lzmaRange {
	d.reps[1], d.reps[2], d.reps[3] = d.reps[0], d.reps[1], d.reps[2]
	d.after(7, 10)
	r, length := d.matchLength(r, lzmaMatchLen, position)
	r, slot := r.tree(d.probabilities[lzmaSlots+min(length, 3)*64:], 6)
	distance := slot
	if slot >= 4 {
		bits := int(slot/2 - 1)
		distance = (2 | slot&1) << bits
		var low uint32
		if slot < 14 {
			r, low = r.reverse(d.probabilities[lzmaSpecial+int(distance-slot):], bits)
		} else {
			var high uint32
			r, high = r.direct(bits - 4)
			r, low = r.reverse(d.probabilities[lzmaAlign:], 4)
			low += high << 4
		}
		distance += low
	}
	d.reps[0] = distance
	d.length = length + lzmaMinLen
	if distance == 1<<32-1 {
		d.ended, d.length = true, 0
	}
	return r
}

// repeat decodes a match at one of the last distances.
func (d *lzmaDecoder) repeat(r lzmaRange, position int) lzmaRange {
	p := &d.probabilities
	var bit uint32
	if r, bit = r.fill().bit(&p[lzmaIsRep0+d.state]); bit == 0 {
		if r, bit = r.fill().bit(&p[lzmaIsRep0Long+d.state*lzmaPosStates+position]); bit == 0 {
			d.after(9, 11)
			d.length = 1
			return r
		}
	} else {
		which := 1
		if r, bit = r.fill().bit(&p[lzmaIsRep1+d.state]); bit != 0 {
			r, bit = r.fill().bit(&p[lzmaIsRep2+d.state])
			which = 2 + int(bit)
		}
		distance := d.reps[which]
		copy(d.reps[1:which+1], d.reps[:which])
		d.reps[0] = distance
	}
	d.after(8, 11)
	r, length := d.matchLength(r, lzmaRepLen, position)
	d.length = length + lzmaMinLen
	return r
}

// matchLength decodes a length less the shortest one.
func (d *lzmaDecoder) matchLength(r lzmaRange, base, position int) (lzmaRange, int) {
	p := d.probabilities[base : base+lzmaLenSize]
	var bit, length uint32
	if r, bit = r.fill().bit(&p[0]); bit == 0 {
		r, length = r.tree(p[lzmaLenLow+position*8:], 3)
		return r, int(length)
	}
	if r, bit = r.fill().bit(&p[1]); bit == 0 {
		r, length = r.tree(p[lzmaLenMid+position*8:], 3)
		return r, int(length) + 8
	}
	r, length = r.tree(p[lzmaLenHigh:], 8)
	return r, int(length) + 16
}

// copyMatch copies n bytes of the match.
func (d *lzmaDecoder) copyMatch(n int) {
	d.length -= n
	d.position += int64(n)
	from := d.end - 1 - int(d.reps[0])
	if from < 0 {
		from += len(d.ring)
		k := copy(d.ring[d.end:d.end+n], d.ring[from:])
		d.end += k
		n -= k
		from = 0
	}
	// Bytes may repeat: each round copies twice as many.
	for n > 0 {
		k := copy(d.ring[d.end:d.end+n], d.ring[from:d.end])
		d.end += k
		n -= k
	}
}

// lzma2Reader decodes LZMA2: chunks of LZMA, or not compressed.
type lzma2Reader struct {
	lzma lzmaDecoder
	r    *xzInput
	// The current chunk: what is left of it, and whether it is compressed.
	left       int
	compressed bool
	chunk      []byte
	// What must come before a chunk that does not have it.
	needDictionary, needProperties bool
	ended                          bool
}

// begin begins a stream with a dictionary of size bytes.
func (z *lzma2Reader) begin(r *xzInput, size int) {
	z.lzma.begin(size)
	z.r, z.left, z.ended = r, 0, false
	z.needDictionary, z.needProperties = true, true
}

func (z *lzma2Reader) Read(p []byte) (int, error) {
	for z.lzma.read == z.lzma.end {
		if z.ended {
			return 0, io.EOF
		}
		if err := z.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.lzma.unread())
	z.lzma.read += n
	return n, nil
}

func (z *lzma2Reader) fill() error {
	if z.left == 0 {
		if err := z.nextChunk(); err != nil || z.ended {
			return err
		}
	}
	n := z.lzma.room(z.left)
	z.left -= n
	if !z.compressed {
		return z.lzma.store(z.r, n)
	}
	if err := z.lzma.decode(n); err != nil {
		return err
	}
	if z.lzma.ended {
		return errLZMACorrupt
	}
	if z.left > 0 {
		return nil
	}
	if err := z.lzma.finish(); err != nil {
		return err
	}
	if z.lzma.at != z.lzma.inputSize {
		return errLZMACorrupt
	}
	return nil
}

// nextChunk reads the header of a chunk, as lib/xz/xz_dec_lzma2.c does, and a compressed
// chunk.
func (z *lzma2Reader) nextChunk() error {
	control, err := z.r.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	const (
		stored         = 2 // at most, for a chunk that is not compressed
		dictionaryCopy = 1 // a stored chunk that begins a dictionary
		compressed     = 0x80
		state          = 0xa0 // and more: the state is reset
		properties     = 0xc0
		dictionary     = 0xe0
	)
	if control == 0 {
		z.ended = true
		return nil
	}
	if control >= dictionary || control == dictionaryCopy {
		z.needDictionary, z.needProperties = false, true
		z.lzma.begin(z.lzma.size)
	}
	z.compressed = control >= compressed
	if z.needDictionary || !z.compressed && control > stored {
		return errLZMACorrupt
	}
	size := 2
	if z.compressed {
		size = 4
	}
	if control >= properties {
		size++
	}
	p, err := z.r.take(size)
	if err != nil {
		return err
	}
	z.left = int(p[0])<<8 | int(p[1])
	z.left++
	if !z.compressed {
		return nil
	}
	z.left += int(control&0x1f) << 16
	packed := int(p[2])<<8 | int(p[3]) + 1
	switch {
	case control >= properties:
		if !z.lzma.setProperties(p[4]) {
			return errLZMACorrupt
		}
		z.needProperties = false
		z.lzma.resetState()
	case z.needProperties:
		return errLZMACorrupt
	case control >= state:
		z.lzma.resetState()
	}
	z.chunk = grow(z.chunk, packed+lzmaSymbol)
	if _, err := io.ReadFull(z.r, z.chunk[:packed]); err != nil {
		return unexpected(err)
	}
	clear(z.chunk[packed:])
	return z.lzma.start(z.chunk, nil)
}
