package codec_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// limit is an input at or past a limit of the kernel's.
type limit struct {
	name    string
	input   []byte
	want    string // content, if the input is not refused
	refused bool
}

// checkLimits reads the inputs. The errors are those of the test's golden file.
func checkLimits(t *testing.T, limits []limit) {
	t.Helper()
	messages := map[string]string{}
	for _, l := range limits {
		got, err := member(bufio.NewReader(bytes.NewReader(l.input)))
		switch {
		case (err != nil) != l.refused:
			t.Errorf("%s: error %v, refused must be %t", l.name, err, l.refused)
		case err != nil:
			messages[l.name] = err.Error()
		case string(got) != l.want:
			t.Errorf("%s: other content: %.40q", l.name, got)
		}
	}
	golden.Messages(t, t.Name()+".txt", messages)
}

// lib/decompress_inflate.c skips a name and no other field.
func TestGzipFields(t *testing.T) {
	packed := compressed(t, "gzip", []byte("content"), writeAtOnce)
	with := func(flags byte, fields string) []byte {
		header := bytes.Clone(packed[:10])
		header[3] = flags
		return slices.Concat(header, []byte(fields), packed[10:])
	}
	sum := binary.LittleEndian.AppendUint16(nil, uint16(crc32.ChecksumIEEE(with(2, "")[:10])))
	wrongSum := bytes.Clone(packed)
	wrongSum[len(wrongSum)-8] ^= 1
	wrongMagic := bytes.Clone(packed)
	wrongMagic[1] = 0x9e
	wrongMethod := bytes.Clone(packed)
	wrongMethod[2] = 7
	checkLimits(t, []limit{
		{"no field", packed, "content", false},
		{"text", with(1, ""), "content", false},
		{"name", with(8, "name\x00"), "content", false},
		{"long name", with(8, strings.Repeat("n", 5000)+"\x00"), "content", false},
		{"unended name", with(8, "name")[:14], "", true},
		{"header checksum", with(2, string(sum)), "", true},
		{"extra field", with(4, "\x02\x00ab"), "", true},
		{"comment", with(16, "comment\x00"), "", true},
		{"checksum", wrongSum, "", true},
		{"magic number", wrongMagic, "", true},
		{"method", wrongMethod, "", true},
	})
}

func TestXZLimits(t *testing.T) {
	with := func(c xz.WriterConfig) []byte {
		var b bytes.Buffer
		w, err := c.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "content")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	// The first block's header follows the 12 bytes of the stream's.
	property := func(value byte) []byte {
		packed := compressed(t, "xz", []byte("content"), writeAtOnce)
		header := packed[12 : 12+4*(int(packed[12])+1)]
		if header[2] != 0x21 || header[3] != 1 {
			t.Fatalf("block header %x", header)
		}
		header[4] = value
		end := len(header) - 4
		binary.LittleEndian.PutUint32(header[end:], crc32.ChecksumIEEE(header[:end]))
		return packed
	}
	filter := property(0)
	filter[13] |= 1
	checkLimits(t, []limit{
		{"no check", with(xz.WriterConfig{NoCheckSum: true}), "content", false},
		{"CRC32", with(xz.WriterConfig{CheckSum: xz.CRC32}), "content", false},
		{"CRC64", with(xz.WriterConfig{CheckSum: xz.CRC64}), "", true},
		{"SHA-256", with(xz.WriterConfig{CheckSum: xz.SHA256}), "", true},
		{"several blocks", with(xz.WriterConfig{CheckSum: xz.CRC32, BlockSize: 2}), "content", false},
		{"dictionary of 4 KiB", property(0), "content", false},
		{"dictionary of 128 MiB", property(30), "content", false},
		{"dictionary of 192 MiB", property(31), "", true},
		{"dictionary of 4 GiB", property(40), "", true},
		{"no such dictionary", property(41), "", true},
		{"two filters", filter, "", true},
	})
}

func TestXZHeader(t *testing.T) {
	packed := compressed(t, "xz", []byte("content"), writeAtOnce)
	const crc32Check, dictionary1MiB = 1, 16
	if packed[7] != crc32Check {
		t.Errorf("the check is %d, want %d", packed[7], crc32Check)
	}
	if got := packed[12+2 : 12+5]; !bytes.Equal(got, []byte{0x21, 1, dictionary1MiB}) {
		t.Errorf("the filter is %x, want LZMA2 with 1 MiB", got)
	}
}

func TestZstdLimits(t *testing.T) {
	const magic, lastBlock = "\x28\xb5\x2f\xfd", "\x01\x00\x00"
	one := "\x09\x00\x00x" // the last block, as it is
	checkLimits(t, []limit{
		{"window of 128 MiB", []byte(magic + "\x00\x88" + one), "x", false},
		{"window of 144 MiB", []byte(magic + "\x00\x89" + one), "", true},
		{"largest window", []byte(magic + "\x00\xff" + one), "", true},
		{"single segment of a byte", []byte(magic + "\x20\x01" + one), "x", false},
		{"single segment of 4 GiB", []byte(magic + "\xe0\x00\x00\x00\x00\x01\x00\x00\x00" + one), "", true},
		{"dictionary", []byte(magic + "\x01\x00\x07" + one), "", true},
		{"reserved block", []byte(magic + "\x00\x88\x0f\x00\x00x"), "", true},
		{"nothing", []byte(magic + "\x00\x88" + lastBlock), "", false},
		{"wrong magic number", []byte("\x28\xb5\x2f\xfe\x00\x88" + one), "", true},
		{"skippable frame", []byte("\x50\x2a\x4d\x18\x00\x00\x00\x00"), "", true},
	})
}

func TestLZ4Limits(t *testing.T) {
	const magic = "\x02\x21\x4c\x18"
	block := func(size int) []byte {
		content := make([]byte, size)
		packed := make([]byte, lz4.CompressBlockBound(size))
		n, err := lz4.CompressBlock(content, packed, nil)
		if err != nil {
			t.Fatal(err)
		}
		return append(binary.LittleEndian.AppendUint32([]byte(magic), uint32(n)), packed[:n]...)
	}
	checkLimits(t, []limit{
		{"block of 8 MiB", block(8 << 20), string(make([]byte, 8<<20)), false},
		{"block of 8 MiB and a byte", block(8<<20 + 1), "", true},
		{"packed to too much", []byte(magic + "\xff\xff\xff\x00"), "", true},
		{"another frame", []byte("\x02\x21\x4d\x18"), "", true},
		{"a frame with end mark", []byte("\x04\x22\x4d\x18"), "", true},
		{"no block", []byte(magic), "", false},
		{"rest of a word", []byte(magic + "\x01\x02\x03"), "", false},
	})
}

// Blocks of 8 MiB, a smaller last one, and nothing after it.
func TestLZ4Blocks(t *testing.T) {
	packed := compressed(t, "lz4:1", make([]byte, 8<<20+1), writeAtOnce)
	rest := packed[4:]
	var sizes []int
	for len(rest) > 0 {
		n := binary.LittleEndian.Uint32(rest)
		content := make([]byte, 8<<20)
		size, err := lz4.UncompressBlock(rest[4:4+n], content)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, size)
		rest = rest[4+n:]
	}
	if want := []int{8 << 20, 1}; !slices.Equal(sizes, want) {
		t.Errorf("the blocks have %d bytes, want %d", sizes, want)
	}
	if string(packed[:4]) != "\x02\x21\x4c\x18" {
		t.Errorf("the frame begins with %x", packed[:4])
	}
}

func TestLZMAHeader(t *testing.T) {
	packed := compressed(t, "lzma", []byte("content"), writeAtOnce)
	want := []byte{0x5d, 0, 0, 0x80, 0, 255, 255, 255, 255, 255, 255, 255, 255}
	if !bytes.HasPrefix(packed, want) {
		t.Errorf("the header is %x, want %x", packed[:len(want)], want)
	}
	dictionary := func(size uint32) []byte {
		input := bytes.Clone(packed)
		binary.LittleEndian.PutUint32(input[1:], size)
		return input
	}
	checkLimits(t, []limit{
		{"dictionary of 128 MiB", dictionary(128 << 20), "content", false},
		{"dictionary of 192 MiB", dictionary(192 << 20), "", true},
		{"size of nothing", append([]byte{0x5d, 0, 0, 1, 0}, make([]byte, 8+5)...), "", false},
	})
}

// lzopHeader is the header of a file without a name.
func lzopHeader(flags uint32) []byte {
	header := []byte{0x10, 0x30, 0x20, 0xa0, 0x09, 0x40, 1, 3}
	header = binary.BigEndian.AppendUint32(header, flags)
	if flags&0x800 != 0 {
		header = append(header, 0, 0, 0, 1) // the filter
	}
	header = append(header, make([]byte, 4+8+1)...)
	header = binary.BigEndian.AppendUint32(header, adler32.Checksum(header))
	return append([]byte("\x89LZO\x00\r\n\x1a\n"), header...)
}

func lzopBlock(size, packed, sum uint32, content string) []byte {
	var b []byte
	for _, word := range []uint32{size, packed, sum} {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return append(b, content...)
}

func TestLZOLimits(t *testing.T) {
	const plain, end = 0x03000001, "\x00\x00\x00\x00"
	full := strings.Repeat("x", 256<<10)
	stored := func(flags uint32, content string, sum uint32) []byte {
		size := uint32(len(content))
		return slices.Concat(lzopHeader(flags), lzopBlock(size, size, sum, content), []byte(end))
	}
	adler := func(s string) uint32 { return adler32.Checksum([]byte(s)) }
	crc := crc32.ChecksumIEEE([]byte("x"))
	wrongHeader := lzopHeader(plain)
	wrongHeader[len(wrongHeader)-1] ^= 1
	checkLimits(t, []limit{
		{"block of 256 KiB", stored(plain, full, adler(full)), full, false},
		{"block of 256 KiB and a byte", stored(plain, full+"x", adler(full+"x")), "", true},
		{"packed to more", slices.Concat(lzopHeader(plain), lzopBlock(1, 2, 0, "xx")), "", true},
		{"packed to nothing", slices.Concat(lzopHeader(plain), lzopBlock(1, 0, 0, "")), "", true},
		{"checksum", stored(plain, "x", 1), "", true},
		{"CRC-32", stored(0x100, "x", crc), "x", false},
		{"Adler-32 of what is packed", stored(2, "x", adler("x")), "x", false},
		{"CRC-32 of what is packed", stored(0x200, "x", crc), "x", false},
		{"no checksum", stored(0, "x", 0), "", true},
		{"two checksums", stored(3, "x", 0), "", true},
		{"filter", stored(0x801, "x", 0), "", true},
		{"extra field", stored(0x41, "x", 0), "", true},
		{"no end", stored(plain, "x", adler("x"))[:48], "", true},
		{"header", wrongHeader, "", true},
		{"magic number", []byte("\x89LZP\x00\r\n\x1a\n"), "", true},
	})
}

// Blocks of 256 KiB, which are stored if they do not compress, and a zero word at the end.
func TestLZOBlocks(t *testing.T) {
	random := samples()["random"]
	content := slices.Concat(make([]byte, 256<<10), random, random[:106<<10], []byte("the rest"))
	packed := compressed(t, "lzo", content, writeAtOnce)
	if want := lzopHeader(0x03000001); !bytes.HasPrefix(packed, want) {
		t.Fatalf("the header is %x, want %x", packed[:len(want)], want)
	}
	rest := packed[len(lzopHeader(0)):]
	var sizes []uint32
	for {
		size := binary.BigEndian.Uint32(rest)
		if size == 0 {
			rest = rest[4:]
			break
		}
		stored := binary.BigEndian.Uint32(rest[4:])
		if stored == 0 || stored > size {
			t.Fatalf("a block of %d bytes is packed to %d", size, stored)
		}
		sizes = append(sizes, size)
		if len(sizes) == 2 && stored != size {
			t.Errorf("noise of %d bytes is packed to %d", size, stored)
		}
		rest = rest[12+stored:]
	}
	if want := []uint32{256 << 10, 256 << 10, 8}; !slices.Equal(sizes, want) {
		t.Errorf("the blocks have %d bytes, want %d", sizes, want)
	}
	if len(rest) > 0 {
		t.Errorf("%d bytes follow the end", len(rest))
	}
}

// The end of a stream ends a member. The level in its header is higher than that of its
// blocks, because the kernel refuses a run that ends where a block is full.
func TestBzip2Header(t *testing.T) {
	noise := make([]byte, 900_000)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(r.Uint32())
	}
	for _, test := range []struct {
		method, header string
		blocks         int
	}{{"bzip2:1", "BZh2", 9}, {"bzip2:2", "BZh2", 9}, {"bzip2:9", "BZh9", 2}} {
		packed := compressed(t, test.method, noise, writeAtOnce)
		if !bytes.HasPrefix(packed, []byte(test.header)) {
			t.Errorf("%s begins with %q", test.method, packed[:4])
		}
		if blocks := countBits(packed, 0x314159265359); blocks != test.blocks {
			t.Errorf("%s: %d blocks, want %d", test.method, blocks, test.blocks)
		}
	}
	checkLimits(t, []limit{
		{"no such level", []byte("BZh0\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"), "", true},
		{"bzip 1", []byte("BZ0"), "", true},
		{"nothing", []byte("BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"), "", false},
	})
	if _, err := codec.NewReader(bufio.NewReader(strings.NewReader("BZ"))); errors.Is(err, codec.ErrNotCompressed) {
		t.Error("BZ is not detected")
	}
}

// countBits counts the occurrences of the 48 bits of magic, at any bit.
func countBits(data []byte, magic uint64) int {
	count := 0
	var window uint64
	for _, b := range data {
		for bit := 7; bit >= 0; bit-- {
			window = window<<1&(1<<48-1) | uint64(b>>bit&1)
			if window == magic {
				count++
			}
		}
	}
	return count
}
