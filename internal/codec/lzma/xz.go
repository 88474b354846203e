package lzma

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"
	"strings"
)

// An XZReader reads the container (the .xz file format, 1.2.1): one stream as lib/xz does, or
// as the program xz reads files.
type XZReader struct {
	// File reads all streams, with what the program xz takes. It must not change.
	File bool

	// SHA256 makes the check of that name. Without it, content with that check is not
	// verified.
	SHA256 func() hash.Hash

	r      xzInput
	flags  [2]byte // of the stream; the second is the type of its check
	block  *xzBlock
	blocks xzRecords
	lzma2  lzma2Reader
	used   []string // names of the filters so far
}

// xzChecks are the checks of a block's content by their types, with their sizes in bytes.
// lib/xz knows the first two. The program xz does not verify those without a hash, except
// SHA-256, which XZReader has elsewhere: its package would be half as large as init.
var xzChecks = [16]struct {
	size int
	hash func() hash.Hash
}{
	0:  {0, nil},
	1:  {4, func() hash.Hash { return crc32.NewIEEE() }},
	2:  {4, nil},
	3:  {4, nil},
	4:  {8, func() hash.Hash { return crc64.New(crc64.MakeTable(crc64.ECMA)) }},
	5:  {8, nil},
	6:  {8, nil},
	7:  {16, nil},
	8:  {16, nil},
	9:  {16, nil},
	10: {32, nil},
	11: {32, nil},
	12: {32, nil},
	13: {64, nil},
	14: {64, nil},
	15: {64, nil},
}

const (
	xzKernelChecks = 2
	xzSHA256       = 10
)

// XZMagic is what an .xz file begins with.
const XZMagic = "\xfd7zXZ\x00"

var (
	xzHeaderMagic = []byte(XZMagic)
	xzFooterMagic = []byte("YZ")
)

var errXZCorrupt = errors.New("corrupt container")

// xzInput counts the bytes that are read, and sums them.
type xzInput struct {
	r   *bufio.Reader
	n   int64
	sum uint32     // CRC-32
	buf [1024]byte // what take returned last
}

func (in *xzInput) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.n += int64(n)
	return n, err
}

func (in *xzInput) ReadByte() (byte, error) {
	c, err := in.r.ReadByte()
	if err == nil {
		in.n++
	}
	return c, err
}

// begin starts the count and the sum again, with the n bytes that it returns.
func (in *xzInput) begin(n int) ([]byte, error) {
	in.n, in.sum = 0, 0
	return in.take(n)
}

// take returns the next n bytes, at most 1024. They are valid until the next call.
func (in *xzInput) take(n int) ([]byte, error) {
	p := in.buf[:n]
	if _, err := io.ReadFull(in, p); err != nil {
		return nil, unexpected(err)
	}
	in.sum = crc32.Update(in.sum, crc32.IEEETable, p)
	return p, nil
}

// verify reads a CRC-32, which must be that of all bytes since begin.
func (in *xzInput) verify() error {
	want := in.sum
	p, err := in.take(4)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(p) != want {
		return errors.New("the container does not match its checksum")
	}
	return nil
}

// pad reads zeros up to the next multiple of four bytes since begin.
func (in *xzInput) pad() error {
	p, err := in.take(int(-in.n & 3))
	if err != nil {
		return err
	}
	if !zeros(p) {
		return errXZCorrupt
	}
	return nil
}

func zeros(p []byte) bool { return len(bytes.Trim(p, "\x00")) == 0 }

// number reads an integer of variable length: seven bits in each byte, lowest first.
func (in *xzInput) number() (int64, error) {
	var value int64
	for shift := 0; shift < 63; shift += 7 {
		p, err := in.take(1)
		if err != nil {
			return 0, err
		}
		value |= int64(p[0]&0x7f) << shift
		if p[0] < 0x80 {
			if p[0] == 0 && shift > 0 {
				return 0, errXZCorrupt // not the shortest form
			}
			return value, nil
		}
	}
	return 0, errXZCorrupt
}

// ErrMore is the error if something else follows a file.
var ErrMore = errors.New("something else follows the compressed data: remove it, or copy the file again")

// Reset begins with the stream or file that r begins with. Reading a stream to io.EOF
// leaves r at the first byte after it. Memory that was allocated before is used again.
func (z *XZReader) Reset(r *bufio.Reader) error {
	z.r.r, z.block, z.used = r, nil, nil
	return z.beginStream()
}

func (z *XZReader) beginStream() error {
	magic, err := z.r.begin(len(xzHeaderMagic))
	if err != nil {
		return err
	}
	if !bytes.Equal(magic, xzHeaderMagic) {
		return fmt.Errorf("magic number %x: want %x", magic, xzHeaderMagic)
	}
	flags, err := z.r.begin(len(z.flags))
	if err != nil {
		return err
	}
	copy(z.flags[:], flags)
	if err := z.r.verify(); err != nil {
		return err
	}
	check := z.flags[1]
	if z.flags[0] != 0 || int(check) >= len(xzChecks) || !z.File && check >= xzKernelChecks {
		return fmt.Errorf("check of type %d: the kernel takes only CRC32 or none (xz --check=crc32)", check)
	}
	z.blocks = newXZRecords()
	return nil
}

// nextStream goes to the next stream of a file, or returns io.EOF at the end of the file.
// Zeros in multiples of four bytes may come before both.
func (z *XZReader) nextStream() error {
	for {
		p, err := z.r.r.Peek(len(xzHeaderMagic))
		switch {
		case err != nil && err != io.EOF:
			return err
		case len(p) == 0:
			return io.EOF
		case bytes.Equal(p, xzHeaderMagic):
			return unexpected(z.beginStream())
		case len(p) < 4 || !zeros(p[:4]):
			return ErrMore
		}
		z.r.r.Discard(4)
	}
}

// Read reads the content.
func (z *XZReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if z.block == nil {
			if err := z.nextBlock(); err != nil {
				return 0, err
			}
		}
		n, err := z.block.read(p)
		if err == io.EOF {
			err = z.endBlock()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// nextBlock begins the next block, or returns io.EOF.
func (z *XZReader) nextBlock() error {
	for {
		first, err := z.r.begin(1)
		if err != nil {
			return err
		}
		if first[0] != 0 {
			return unexpected(z.begin(first[0]))
		}
		if err := z.end(); err != nil {
			return err
		}
		if !z.File {
			return io.EOF
		}
		if err := z.nextStream(); err != nil {
			return err
		}
	}
}

// xzBlock is the block that is being read.
type xzBlock struct {
	content          io.Reader
	header           int64 // size of the header
	packed, unpacked int64 // sizes in the header, or -1
	size             int64 // of the content so far
	check            hash.Hash
}

func (b *xzBlock) read(p []byte) (int, error) {
	n, err := b.content.Read(p)
	b.size += int64(n)
	if b.check != nil {
		b.check.Write(p[:n])
	}
	return n, err
}

// begin reads a block's header, whose first byte is its size.
func (z *XZReader) begin(first byte) error {
	b := &xzBlock{header: (int64(first) + 1) * 4, packed: -1, unpacked: -1}
	p, err := z.r.take(1)
	if err != nil {
		return err
	}
	flags := p[0]
	const hasPacked, hasUnpacked, filters = 1 << 6, 1 << 7, 3
	if flags&^(hasPacked|hasUnpacked|filters) != 0 {
		return errXZCorrupt
	}
	if flags&hasPacked != 0 {
		if b.packed, err = z.r.number(); err != nil {
			return err
		}
	}
	if flags&hasUnpacked != 0 {
		if b.unpacked, err = z.r.number(); err != nil {
			return err
		}
	}
	filter, err := z.readFilters(int(flags & filters))
	if err != nil {
		return err
	}
	rest := b.header - 4 - z.r.n
	if rest < 0 {
		return errXZCorrupt
	}
	padding, err := z.r.take(int(rest))
	if err != nil {
		return err
	}
	if !zeros(padding) {
		return errXZCorrupt
	}
	if err := z.r.verify(); err != nil {
		return err
	}
	z.r.n = 0
	z.block = b
	newHash := xzChecks[z.flags[1]].hash
	if z.flags[1] == xzSHA256 {
		newHash = z.SHA256
	}
	if newHash != nil {
		b.check = newHash()
	}
	b.content = filter(&z.r)
	return nil
}

// The filters of the format that are not of machine code.
const (
	xzDelta = 0x03
	xzLZMA2 = 0x21
)

// xzFilter returns a reader of what r decodes to.
type xzFilter func(r *xzInput) io.Reader

// readFilters reads a chain of filters: more of them, and LZMA2 at the end.
func (z *XZReader) readFilters(more int) (xzFilter, error) {
	id, err := z.r.number()
	if err != nil {
		return nil, err
	}
	size, err := z.r.number()
	if err != nil {
		return nil, err
	}
	if size > 4 {
		return nil, errXZCorrupt
	}
	p, err := z.r.take(int(size))
	if err != nil {
		return nil, err
	}
	properties := [4]byte{}
	copy(properties[:], p)
	bcj := findBCJ(id)
	switch {
	case more == 0 && id == xzLZMA2 && size == 1:
		return z.lzma2Filter(properties[0])
	case !z.File && (more > 1 || more == 1 && (bcj == nil || size != 0)):
		return nil, fmt.Errorf("filter %s before LZMA2: the kernel takes at most one, for machine code and without options (%s)",
			xzFilterName(id), bcjOptions())
	case more == 0 || bcj == nil && id != xzDelta:
		return nil, fmt.Errorf("unknown filter %s", xzFilterName(id))
	}
	next, err := z.readFilters(more - 1)
	if err != nil {
		return nil, err
	}
	if bcj == nil {
		if size != 1 {
			return nil, errXZCorrupt
		}
		return func(r *xzInput) io.Reader {
			return &deltaReader{r: next(r), distance: int(properties[0]) + 1}
		}, nil
	}
	start := binary.LittleEndian.Uint32(properties[:])
	if size != 0 && size != 4 || start%bcj.align != 0 {
		return nil, errXZCorrupt
	}
	if !slices.Contains(z.used, bcj.name) {
		z.used = append(z.used, bcj.name)
	}
	return func(r *xzInput) io.Reader {
		return &bcjReader{r: next(r), decode: bcj.newDecoder(), at: start}
	}, nil
}

// Filters returns the names of the filters of machine code in what has been read so far.
func (z *XZReader) Filters() []string { return z.used }

func xzFilterName(id int64) string {
	switch bcj := findBCJ(id); {
	case bcj != nil:
		return bcj.name
	case id == xzDelta:
		return "delta"
	case id == xzLZMA2:
		return "LZMA2"
	}
	return fmt.Sprintf("%#x", id)
}

// bcjOptions returns the options of xz for filters of machine code.
func bcjOptions() string {
	return "--" + strings.Join(FilterNames(), ", --")
}

// lzma2Filter takes the code of the size of the dictionary.
func (z *XZReader) lzma2Filter(code byte) (xzFilter, error) {
	if code > 40 {
		return nil, errXZCorrupt
	}
	// Two bits of mantissa below an exponent (5.3.1 of the format).
	size := (2 | int64(code&1)) << (code/2 + 11)
	if size > MaxWindow {
		return nil, fmt.Errorf("dictionary of %d bytes: at most %d are possible", size, MaxWindow)
	}
	return func(r *xzInput) io.Reader {
		z.lzma2.begin(r, int(size))
		return &z.lzma2
	}, nil
}

// endBlock verifies what follows a block's content.
func (z *XZReader) endBlock() error {
	b := z.block
	packed := z.r.n
	if b.packed >= 0 && b.packed != packed || b.unpacked >= 0 && b.unpacked != b.size {
		return errors.New("a block does not have the size in its header")
	}
	if err := z.r.pad(); err != nil {
		return err
	}
	sum, err := z.r.take(xzChecks[z.flags[1]].size)
	if err != nil {
		return err
	}
	if b.check != nil {
		// A hash of package hash has its sum in big endian, the format CRCs in little endian.
		want := b.check.Sum(nil)
		if len(want) <= 8 {
			slices.Reverse(want)
		}
		if !bytes.Equal(sum, want) {
			return errors.New("the content does not match its checksum")
		}
	}
	z.blocks.add(xzRecord{unpadded: b.header + packed + int64(len(sum)), unpacked: b.size})
	z.block = nil
	return nil
}

// xzRecord is the index's record of a block: its size in bytes with header and check but
// without padding, and the size of its content.
type xzRecord struct{ unpadded, unpacked int64 }

// xzRecords is a digest of any number of records.
type xzRecords struct {
	count int64
	sum   hash.Hash
}

func newXZRecords() xzRecords {
	return xzRecords{sum: crc64.New(crc64.MakeTable(crc64.ECMA))}
}

func (r *xzRecords) add(record xzRecord) {
	r.count++
	var p [16]byte
	binary.LittleEndian.PutUint64(p[:8], uint64(record.unpadded))
	binary.LittleEndian.PutUint64(p[8:], uint64(record.unpacked))
	r.sum.Write(p[:])
}

// end reads the index, without its first byte, and the footer.
func (z *XZReader) end() error {
	count, err := z.r.number()
	if err != nil {
		return err
	}
	if count != z.blocks.count {
		return errors.New("the index does not match the blocks")
	}
	index := newXZRecords()
	for range count {
		var record xzRecord
		if record.unpadded, err = z.r.number(); err != nil {
			return err
		}
		if record.unpacked, err = z.r.number(); err != nil {
			return err
		}
		index.add(record)
	}
	if !bytes.Equal(index.sum.Sum(nil), z.blocks.sum.Sum(nil)) {
		return errors.New("the index does not match the blocks")
	}
	if err := z.r.pad(); err != nil {
		return err
	}
	if err := z.r.verify(); err != nil {
		return err
	}
	size := z.r.n
	return z.footer(size)
}

// footer reads the end of the stream, which repeats the size of the index in bytes.
func (z *XZReader) footer(index int64) error {
	p, err := z.r.take(4)
	if err != nil {
		return err
	}
	sum := binary.LittleEndian.Uint32(p)
	footer, err := z.r.begin(6)
	if err != nil {
		return err
	}
	if sum != z.r.sum {
		return errors.New("the container does not match its checksum")
	}
	if (int64(binary.LittleEndian.Uint32(footer))+1)*4 != index || !bytes.Equal(footer[4:], z.flags[:]) {
		return errXZCorrupt
	}
	magic, err := z.r.take(len(xzFooterMagic))
	if err != nil {
		return err
	}
	if !bytes.Equal(magic, xzFooterMagic) {
		return errXZCorrupt
	}
	return nil
}
