package codec_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
)

// withDictionary sets the code of the dictionary in the first block of an xz member.
func withDictionary(packed []byte, code byte) []byte {
	packed = bytes.Clone(packed)
	header := packed[12 : 12+4*(int(packed[12])+1)]
	header[4] = code
	end := len(header) - 4
	binary.LittleEndian.PutUint32(header[end:], crc32.ChecksumIEEE(header[:end]))
	return packed
}

// small has a small member of each codec, with the largest window or block in its header.
func small(t *testing.T) map[string][]byte {
	t.Helper()
	members := map[string][]byte{}
	for _, name := range codecs() {
		members[name] = compressed(t, name, []byte("x"), writeAtOnce)
	}
	members["xz"] = withDictionary(members["xz"], 30)
	binary.LittleEndian.PutUint32(members["lzma"][1:], 128<<20)
	// A window of 128 MiB, and the last block, stored, of one byte.
	members["zstd"] = []byte("\x28\xb5\x2f\xfd\x00\x88\x09\x00\x00x")
	members["lz4"] = slices.Concat(members["lz4"], make([]byte, 4))
	return members
}

// allocated returns how many bytes f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// Many small members allocate what a few do, whatever window they ask for: a Reader takes
// its memory for the next member again, and a dictionary grows with the content.
func TestSmallMembers(t *testing.T) {
	const count = 200
	for name, packed := range small(t) {
		image := bytes.Repeat(packed, 2*count)
		read := func(members int) int64 {
			return allocated(func() {
				r := bufio.NewReader(bytes.NewReader(image))
				var z *codec.Reader
				for range members {
					var err error
					if z == nil {
						z, err = codec.NewReader(r)
					} else {
						err = z.Reset(r)
					}
					if err == nil {
						_, err = io.Copy(io.Discard, struct{ io.Reader }{z})
					}
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if name == "lz4" {
						r.Discard(4)
					}
				}
				z.Close()
			})
		}
		once := read(count)
		more := read(2*count) - once
		if perMember := more / count; perMember > 64<<10 {
			t.Errorf("%s: each member of %d bytes allocates %d bytes more", name, len(packed), perMember)
		}
		if name == "xz" || name == "lzma" {
			if first := read(1); first > 4<<20 {
				t.Errorf("%s: a member with one byte allocates %d bytes", name, first)
			}
		}
	}
}

// So do blocks of one xz member, and streams of one file.
func TestSmallBlocks(t *testing.T) {
	code := withDictionary(compressed(t, "xz", []byte("x"), writeAtOnce), 30)
	for _, name := range []string{"xz", "zstd", "gzip", "bzip2", "lzo", "lzma"} {
		packed := code
		if name != "xz" {
			packed = compressed(t, name, []byte("x"), writeAtOnce)
		}
		read := func(streams int) int64 {
			return allocated(func() {
				z, err := codec.NewFileReader(bufio.NewReader(bytes.NewReader(bytes.Repeat(packed, streams))))
				if err != nil {
					t.Fatal(err)
				}
				defer z.Close()
				if n, err := io.Copy(io.Discard, struct{ io.Reader }{z}); n != int64(streams) || err != nil {
					t.Fatalf("%s: %d bytes, error %v", name, n, err)
				}
			})
		}
		const count = 200
		if more := (read(2*count) - read(count)) / count; more > 64<<10 {
			t.Errorf("%s: each stream of %d bytes allocates %d bytes more", name, len(packed), more)
		}
	}
}

// The limit of the dictionary holds for each block of each stream.
func TestDictionaryOfLaterStreams(t *testing.T) {
	packed := compressed(t, "xz", []byte("x"), writeAtOnce)
	huge := withDictionary(packed, 40)
	empty := compressed(t, "xz", nil, writeAtOnce)
	for name, file := range map[string][]byte{
		"first": huge, "second stream": slices.Concat(packed, huge), "after an empty stream": slices.Concat(empty, huge),
		"after padding": slices.Concat(packed, make([]byte, 8), huge),
	} {
		if _, _, err := readFile(file); err == nil {
			t.Errorf("%s: no error for a dictionary of 4 GiB", name)
		}
	}
}
