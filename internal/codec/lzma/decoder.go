// Package lzma reads the formats of LZMA: .lzma and .xz, the latter as the kernel does, or
// as the program xz does. It imports little, because the init of images has it too.
package lzma

import (
	"errors"
	"io"
	"slices"
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
	// The range coder. more returns the input after in.
	in     []byte
	at     int
	more   func() ([]byte, error)
	width  uint32
	code   uint32
	err    error // of more
	ended  bool  // an end mark was read
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

// start reads the first bytes of a range coder.
func (d *lzmaDecoder) start(in []byte, more func() ([]byte, error)) error {
	d.in, d.at, d.more, d.err, d.ended = in, 0, more, nil, false
	first := d.nextByte()
	d.width, d.code = 1<<32-1, 0
	for range 4 {
		d.code = d.code<<8 | uint32(d.nextByte())
	}
	if d.err == nil && first != 0 {
		return errLZMACorrupt
	}
	return d.err
}

// finish returns an error unless a range coder may end here.
func (d *lzmaDecoder) finish() error {
	d.normalize()
	if d.err == nil && (d.code != 0 || d.length != 0) {
		return errLZMACorrupt
	}
	return d.err
}

func (d *lzmaDecoder) nextByte() byte {
	for d.at == len(d.in) {
		if d.err != nil {
			return 0
		}
		d.at = 0
		d.in, d.err = d.more()
	}
	d.at++
	return d.in[d.at-1]
}

func (d *lzmaDecoder) normalize() {
	if d.width < 1<<24 {
		d.width <<= 8
		d.code = d.code<<8 | uint32(d.nextByte())
	}
}

func (d *lzmaDecoder) bit(p *uint16) uint32 {
	d.normalize()
	bound := d.width >> 11 * uint32(*p)
	if d.code < bound {
		d.width = bound
		*p += (1<<11 - *p) >> 5
		return 0
	}
	d.width -= bound
	d.code -= bound
	*p -= *p >> 5
	return 1
}

// tree decodes a number of some bits, highest first.
func (d *lzmaDecoder) tree(p []uint16, bits int) uint32 {
	node := uint32(1)
	for range bits {
		node = node<<1 | d.bit(&p[node])
	}
	return node - 1<<bits
}

// reverse decodes a number of some bits, lowest first.
func (d *lzmaDecoder) reverse(p []uint16, bits int) uint32 {
	node, value := uint32(1), uint32(0)
	for i := range bits {
		bit := d.bit(&p[node])
		node = node<<1 | bit
		value |= bit << i
	}
	return value
}

// direct decodes a number of some bits that have no probabilities.
func (d *lzmaDecoder) direct(bits int) uint32 {
	var value uint32
	for range bits {
		d.normalize()
		d.width >>= 1
		bit := uint32(0)
		if d.code >= d.width {
			d.code -= d.width
			bit = 1
		}
		value = value<<1 | bit
	}
	return value
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
	for stop := d.end + n; d.end < stop && d.err == nil && !d.ended; {
		if d.length > 0 {
			d.copyMatch(min(d.length, stop-d.end))
			continue
		}
		position := int(uint32(d.position) & d.positions)
		if d.bit(&d.probabilities[lzmaIsMatch+d.state*lzmaPosStates+position]) == 0 {
			d.literal()
			continue
		}
		if d.bit(&d.probabilities[lzmaIsRep+d.state]) == 0 {
			d.match(position)
		} else {
			d.repeat(position)
		}
		if distance := int64(d.reps[0]); !d.ended && d.err == nil && (distance >= d.position || distance >= int64(d.size)) {
			d.err = errLZMACorrupt
		}
	}
	return d.err
}

// before returns the byte at a distance before the next one; 0 is the last byte.
func (d *lzmaDecoder) before(distance int) byte {
	at := d.end - 1 - distance
	if at < 0 {
		at += len(d.ring)
	}
	return d.ring[at]
}

func (d *lzmaDecoder) literal() {
	var last byte
	if d.position > 0 {
		last = d.before(0)
	}
	context := (uint32(d.position)&d.literalPosition)<<d.literalContext | uint32(last)>>(8-d.literalContext)
	p := d.literals[context*lzmaLiteral:][:lzmaLiteral]
	if d.reset[context] != d.resets {
		d.reset[context] = d.resets
		for i := range p {
			p[i] = lzmaHalf
		}
	}
	node := uint32(1)
	if d.state >= 7 { // after a match: the byte at its distance is expected not to come
		for expected := uint32(d.before(int(d.reps[0]))); node < 0x100; {
			expected <<= 1
			want := expected & 0x100
			bit := d.bit(&p[0x100+want+node])
			node = node<<1 | bit
			if bit<<8 != want {
				break
			}
		}
	}
	for node < 0x100 {
		node = node<<1 | d.bit(&p[node])
	}
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
	d.ring[d.end] = byte(node)
	d.end++
	d.position++
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
func (d *lzmaDecoder) match(position int) {
	d.reps[1], d.reps[2], d.reps[3] = d.reps[0], d.reps[1], d.reps[2]
	d.after(7, 10)
	length := d.matchLength(lzmaMatchLen, position)
	slot := d.tree(d.probabilities[lzmaSlots+min(length, 3)*64:], 6)
	distance := slot
	if slot >= 4 {
		bits := int(slot/2 - 1)
		distance = (2 | slot&1) << bits
		if slot < 14 {
			distance += d.reverse(d.probabilities[lzmaSpecial+int(distance-slot):], bits)
		} else {
			distance += d.direct(bits-4)<<4 + d.reverse(d.probabilities[lzmaAlign:], 4)
		}
	}
	d.reps[0] = distance
	d.length = length + lzmaMinLen
	if distance == 1<<32-1 {
		d.ended, d.length = true, 0
	}
}

// repeat decodes a match at one of the last distances.
func (d *lzmaDecoder) repeat(position int) {
	p := &d.probabilities
	if d.bit(&p[lzmaIsRep0+d.state]) == 0 {
		if d.bit(&p[lzmaIsRep0Long+d.state*lzmaPosStates+position]) == 0 {
			d.after(9, 11)
			d.length = 1
			return
		}
	} else {
		which := 1
		if d.bit(&p[lzmaIsRep1+d.state]) != 0 {
			which = 2 + int(d.bit(&p[lzmaIsRep2+d.state]))
		}
		distance := d.reps[which]
		copy(d.reps[1:which+1], d.reps[:which])
		d.reps[0] = distance
	}
	d.after(8, 11)
	d.length = d.matchLength(lzmaRepLen, position) + lzmaMinLen
}

// matchLength decodes a length less the shortest one.
func (d *lzmaDecoder) matchLength(base, position int) int {
	p := d.probabilities[base : base+lzmaLenSize]
	switch {
	case d.bit(&p[0]) == 0:
		return int(d.tree(p[lzmaLenLow+position*8:], 3))
	case d.bit(&p[1]) == 0:
		return 8 + int(d.tree(p[lzmaLenMid+position*8:], 3))
	}
	return 16 + int(d.tree(p[lzmaLenHigh:], 8))
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
	if z.lzma.at != len(z.chunk) {
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
	z.chunk = slices.Grow(z.chunk[:0], packed)[:packed]
	if _, err := io.ReadFull(z.r, z.chunk); err != nil {
		return unexpected(err)
	}
	return z.lzma.start(z.chunk, func() ([]byte, error) { return nil, errLZMACorrupt })
}

// MaxWindow is how much decompressed content a reader keeps at most, in bytes. It is
// the kernel's limit for zstd (lib/decompress_unzstd.c). For xz and lzma, the kernel's
// only limit is its memory; no preset of xz needs more than 64 MiB.
const MaxWindow = 128 << 20

// unexpected turns the end of the input into an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
