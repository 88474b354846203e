package codec

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader reads the container (the .xz file format, 1.2.0) as lib/xz does. The library's
// own reader allows nothing but more streams after a stream.
type xzReader struct {
	r      xzInput
	flags  [2]byte // of the stream; the second is the type of its check
	block  *xzBlock
	blocks xzRecords
}

// The checks of a block's content. lib/xz knows no others.
const (
	xzNoCheck = 0
	xzCRC32   = 1
)

var (
	xzHeaderMagic = []byte("\xfd7zXZ\x00")
	xzFooterMagic = []byte("YZ")
)

var errXZCorrupt = errors.New("corrupt container")

// xzInput counts the bytes that are read, and sums them.
type xzInput struct {
	r   *bufio.Reader
	n   int64
	sum uint32 // CRC-32
}

func (in *xzInput) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.n += int64(n)
	return n, err
}

// begin starts the count and the sum again, with the n bytes that it returns.
func (in *xzInput) begin(n int) ([]byte, error) {
	in.n, in.sum = 0, 0
	return in.take(n)
}

func (in *xzInput) take(n int) ([]byte, error) {
	p := make([]byte, n)
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

func newXZReader(r *bufio.Reader) (io.Reader, error) {
	z := &xzReader{r: xzInput{r: r}, blocks: newXZRecords()}
	magic, err := z.r.begin(len(xzHeaderMagic))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(magic, xzHeaderMagic) {
		return nil, fmt.Errorf("magic number %x: want %x", magic, xzHeaderMagic)
	}
	flags, err := z.r.begin(len(z.flags))
	if err != nil {
		return nil, err
	}
	if err := z.r.verify(); err != nil {
		return nil, err
	}
	copy(z.flags[:], flags)
	if check := z.flags[1]; z.flags[0] != 0 || check != xzNoCheck && check != xzCRC32 {
		return nil, fmt.Errorf("check of type %d: the kernel takes only CRC32 or none (xz --check=crc32)", check)
	}
	return z, nil
}

func (z *xzReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if z.block == nil {
			first, err := z.r.begin(1)
			if err != nil {
				return 0, err
			}
			if first[0] == 0 {
				if err := z.end(); err != nil {
					return 0, err
				}
				return 0, io.EOF
			}
			if err := z.begin(first[0]); err != nil {
				return 0, unexpected(err)
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

// xzBlock is the block that is being read.
type xzBlock struct {
	content          *lzma.Reader2
	header           int64 // size of the header
	packed, unpacked int64 // sizes in the header, or -1
	size             int64 // of the content so far
	sum              uint32
}

func (b *xzBlock) read(p []byte) (int, error) {
	n, err := b.content.Read(p)
	b.size += int64(n)
	b.sum = crc32.Update(b.sum, crc32.IEEETable, p[:n])
	if err == io.EOF && !b.content.EOS() {
		err = io.ErrUnexpectedEOF // the input's end, not the block's
	}
	return n, err
}

// begin reads a block's header, whose first byte is its size.
func (z *xzReader) begin(first byte) error {
	b := &xzBlock{header: (int64(first) + 1) * 4, packed: -1, unpacked: -1}
	flags, err := z.r.take(1)
	if err != nil {
		return err
	}
	const hasPacked, hasUnpacked, filters = 1 << 6, 1 << 7, 3
	if flags[0]&^(hasPacked|hasUnpacked) != 0 {
		if flags[0]&filters != 0 {
			return errors.New("block with a filter other than LZMA2")
		}
		return errXZCorrupt
	}
	if flags[0]&hasPacked != 0 {
		if b.packed, err = z.r.number(); err != nil {
			return err
		}
	}
	if flags[0]&hasUnpacked != 0 {
		if b.unpacked, err = z.r.number(); err != nil {
			return err
		}
	}
	dictionary, err := z.filter()
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
	b.content, err = lzma.Reader2Config{DictCap: dictionary}.NewReader2(&z.r)
	return err
}

// filter reads the only filter that there may be and returns the size of its dictionary
// in bytes.
func (z *xzReader) filter() (int, error) {
	const lzma2, propertySize = 0x21, 1
	if id, err := z.r.number(); err != nil {
		return 0, err
	} else if id != lzma2 {
		return 0, errors.New("block with a filter other than LZMA2")
	}
	if size, err := z.r.number(); err != nil {
		return 0, err
	} else if size != propertySize {
		return 0, errXZCorrupt
	}
	property, err := z.r.take(propertySize)
	if err != nil {
		return 0, err
	}
	bits := int(property[0])
	if bits > 40 {
		return 0, errXZCorrupt
	}
	if size := (2 | int64(bits&1)) << (bits/2 + 11); size <= maxWindow {
		return int(size), nil
	}
	return 0, fmt.Errorf("dictionary of more than %d bytes", maxWindow)
}

// endBlock verifies what follows a block's content.
func (z *xzReader) endBlock() error {
	b := z.block
	packed := z.r.n
	if b.packed >= 0 && b.packed != packed || b.unpacked >= 0 && b.unpacked != b.size {
		return errors.New("a block does not have the size in its header")
	}
	if err := z.r.pad(); err != nil {
		return err
	}
	record := xzRecord{unpadded: b.header + packed, unpacked: b.size}
	if z.flags[1] == xzCRC32 {
		sum, err := z.r.take(4)
		if err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(sum) != b.sum {
			return errors.New("the content does not match its checksum")
		}
		record.unpadded += 4
	}
	z.blocks.add(record)
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

func newXZRecords() xzRecords { return xzRecords{sum: sha256.New()} }

func (r *xzRecords) add(record xzRecord) {
	r.count++
	binary.Write(r.sum, binary.LittleEndian, record.unpadded)
	binary.Write(r.sum, binary.LittleEndian, record.unpacked)
}

// end reads the index, without its first byte, and the footer.
func (z *xzReader) end() error {
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
func (z *xzReader) footer(index int64) error {
	sum, err := z.r.take(4)
	if err != nil {
		return err
	}
	footer, err := z.r.begin(6)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(sum) != z.r.sum {
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
