package codec_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
)

// codecs are the names of all that compress.
func codecs() []string {
	return slices.DeleteFunc(codec.Names(), func(name string) bool { return name == "none" })
}

// member reads the member at which r stands, by the package's own reader.
func member(r *bufio.Reader) ([]byte, error) {
	z, err := codec.NewReader(r)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return io.ReadAll(z)
}

func TestReadBack(t *testing.T) {
	for _, method := range methods() {
		if method == "none" {
			continue
		}
		for name, content := range samples() {
			if len(content) > 40<<10 && method != "zstd:1" {
				content = content[:40<<10] // there are many levels
			}
			packed := compressed(t, method, content, writeAtOnce)
			if got, err := member(bufio.NewReader(bytes.NewReader(packed))); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %s: %d bytes came back as %d other ones, error %v", method, name, len(content), len(got), err)
			}
		}
	}
}

// large is of several blocks in every codec but lzma and xz, with parts that do
// not compress.
var large = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	for seed := uint64(0); b.Len() < 5<<20; seed++ {
		r := rand.New(rand.NewPCG(7, seed))
		for range 2000 {
			fmt.Fprintf(&b, "file /usr/share/%x out/%x 0644 0 0\n", r.IntN(100), r.IntN(1<<30))
		}
		b.Write(samples()["random"][:r.IntN(100<<10)])
		b.Write(make([]byte, r.IntN(300<<10)))
	}
	return b.Bytes()[:5<<20]
})

// zstdLevels are one of each that the library has.
var zstdLevels = map[string]bool{"1": true, "3": true, "7": true, "22": true}

func TestReadBackLarge(t *testing.T) {
	for _, method := range methods() {
		codecName, level, _ := strings.Cut(method, ":")
		if codecName == "none" || codecName == "zstd" && level != "" && !zstdLevels[level] {
			continue
		}
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			packed := compressed(t, method, large(), writeAtOnce)
			if got, err := member(bufio.NewReader(bytes.NewReader(packed))); err != nil || !bytes.Equal(got, large()) {
				t.Errorf("%d bytes came back as %d other ones, error %v", len(large()), len(got), err)
			}
		})
	}
}

// A member is read to its end and no further, whatever follows and whatever the
// sizes of reads.
func TestMembers(t *testing.T) {
	first, second := samples()["mixed"][:30<<10], samples()["text"][:20<<10]
	packed := map[string][2][]byte{}
	for _, codecName := range codecs() {
		packed[codecName] = [2][]byte{
			compressed(t, codecName, first, writeAtOnce),
			compressed(t, codecName, second, writeAtOnce),
		}
	}
	for _, a := range codecs() {
		for _, b := range codecs() {
			for _, zeros := range []int{0, 1, 4, 512} {
				name := fmt.Sprintf("%s, %d zeros, %s", a, zeros, b)
				input := slices.Concat(packed[a][0], make([]byte, zeros), packed[b][1])
				for _, below := range []io.Reader{
					bytes.NewReader(input),
					iotest.OneByteReader(bytes.NewReader(input)),
					iotest.DataErrReader(bytes.NewReader(input)),
				} {
					r := bufio.NewReaderSize(below, 32)
					got, err := member(r)
					if a == "lz4" && zeros < 4 {
						wantLZ4(t, name, b, zeros, got, err)
						continue
					}
					if err != nil || !bytes.Equal(got, first) {
						t.Fatalf("%s: the first member: %d bytes, error %v", name, len(got), err)
					}
					if n, err := r.Discard(zeros); err != nil {
						t.Fatalf("%s: %d zeros, error %v", name, n, err)
					}
					if got, err := member(r); err != nil || !bytes.Equal(got, second) {
						t.Fatalf("%s: the second member: %d bytes, error %v", name, len(got), err)
					}
					if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
						t.Errorf("%s: %d bytes are left, error %v", name, len(rest), err)
					}
				}
			}
		}
	}
}

// wantLZ4 checks what a kernel makes of lz4 with fewer than four zeros after it:
// all the rest is blocks for it, another lz4 member included.
func wantLZ4(t *testing.T, name, next string, zeros int, got []byte, err error) {
	t.Helper()
	if next == "lz4" && zeros == 0 {
		if want := slices.Concat(samples()["mixed"][:30<<10], samples()["text"][:20<<10]); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, error %v, want the %d of both", name, len(got), err, len(want))
		}
		return
	}
	if err == nil {
		t.Errorf("%s: no error, the kernel reads on", name)
	}
}

// A bare archive may follow, and zeros up to the end.
func TestBareArchiveFollows(t *testing.T) {
	for _, codecName := range codecs() {
		for _, rest := range []string{"", "\x00", "\x00\x00\x00", "\x00\x00\x00\x00070701"} {
			packed := compressed(t, codecName, []byte("content"), writeAtOnce)
			r := bufio.NewReader(bytes.NewReader(append(packed, rest...)))
			if got, err := member(r); err != nil || string(got) != "content" {
				t.Errorf("%s before %q: %q, error %v", codecName, rest, got, err)
			}
			if got, err := io.ReadAll(r); string(got) != rest || err != nil {
				t.Errorf("%s before %q: %q is left, error %v", codecName, rest, got, err)
			}
		}
		if codecName == "lz4" {
			continue
		}
		r := bufio.NewReader(bytes.NewReader(append(compressed(t, codecName, nil, writeAtOnce), "070701"...)))
		if got, err := member(r); err != nil || len(got) > 0 {
			t.Errorf("%s of nothing: %q, error %v", codecName, got, err)
		}
		if got, err := io.ReadAll(r); string(got) != "070701" || err != nil {
			t.Errorf("%s of nothing: %q is left, error %v", codecName, got, err)
		}
	}
}

func TestDetect(t *testing.T) {
	tests := map[string]string{
		"": "", "\x1f": "", "\x00\x00": "", "07": "", "\x04\x22\x4d\x18": "",
		"\x1f\x8b": "gzip", "\x1f\x9e": "gzip", "BZh9": "bzip2", "\x5d\x00\x00": "lzma", "\xfd7zXZ": "xz",
		"\x89LZO": "lzo", "\x02\x21": "lz4", "\x28\xb5\x2f\xfd": "zstd",
	}
	for prefix, want := range tests {
		if got := codec.Detect([]byte(prefix)); got != want {
			t.Errorf("Detect(%q) = %q, want %q", prefix, got, want)
		}
	}
	for _, codecName := range codecs() {
		packed := compressed(t, codecName, []byte("content"), writeAtOnce)
		if got := codec.Detect(packed); got != codecName {
			t.Errorf("Detect(what %s writes) = %q", codecName, got)
		}
		z, err := codec.NewReader(bufio.NewReader(bytes.NewReader(packed)))
		if err != nil {
			t.Fatal(err)
		}
		if z.Codec() != codecName {
			t.Errorf("Codec of what %s writes is %q", codecName, z.Codec())
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
		if _, err := z.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("%s: Read after Close gives %v", codecName, err)
		}
	}
}

func TestNotCompressed(t *testing.T) {
	for _, input := range []string{"", "\x1f", "070701", "\x00\x00\x00\x00"} {
		r := bufio.NewReader(bytes.NewReader([]byte(input)))
		if _, err := codec.NewReader(r); !errors.Is(err, codec.ErrNotCompressed) {
			t.Errorf("%q: the error is %v, want %v", input, err, codec.ErrNotCompressed)
		}
		if rest, _ := io.ReadAll(r); string(rest) != input {
			t.Errorf("%q: %q is left", input, rest)
		}
	}
}

// A member cut anywhere is an unexpected end, and no content that was not there.
func TestTruncated(t *testing.T) {
	content := samples()["text"][:1000]
	for _, codecName := range codecs() {
		packed := compressed(t, codecName, content, writeAtOnce)
		for n := 2; n < len(packed); n++ {
			got, err := member(bufio.NewReader(bytes.NewReader(packed[:n])))
			if codecName == "lz4" && (n >= 4 && n < 8) {
				if err != nil || len(got) > 0 {
					t.Errorf("lz4 of no block: %d bytes, error %v", len(got), err)
				}
				continue
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s cut at %d of %d: error %v", codecName, n, len(packed), err)
			}
			if !bytes.HasPrefix(content, got) {
				t.Errorf("%s cut at %d of %d: other content", codecName, n, len(packed))
			}
		}
	}
}

// A bit that flips anywhere is an error, where there is a checksum, and no panic
// where there is none.
func TestDamaged(t *testing.T) {
	content := samples()["text"][:1000]
	for _, codecName := range codecs() {
		packed := compressed(t, codecName, content, writeAtOnce)
		for i := range packed {
			damaged := bytes.Clone(packed)
			damaged[i] ^= 1 << (i % 8)
			got, err := member(bufio.NewReader(bytes.NewReader(damaged)))
			if err == nil && !bytes.Equal(got, content) && codecName != "lz4" && codecName != "lzma" {
				t.Errorf("%s with a flip at %d: %d other bytes and no error", codecName, i, len(got))
			}
		}
	}
}

// The error of the reader below comes back as it is.
func TestReaderBelowFails(t *testing.T) {
	broken := errors.New("input/output error")
	for _, codecName := range codecs() {
		packed := compressed(t, codecName, samples()["mixed"], writeAtOnce)
		for _, n := range []int{0, 1, 2, 11, len(packed) / 2, len(packed) - 1} {
			below := io.MultiReader(bytes.NewReader(packed[:n]), iotest.ErrReader(broken))
			if _, err := member(bufio.NewReader(below)); !errors.Is(err, broken) {
				t.Errorf("%s broken at %d: the error is %v", codecName, n, err)
			}
		}
	}
}

// Memory does not grow with the content, be it a bomb.
func TestBomb(t *testing.T) {
	const size = 24 << 20
	chunk := make([]byte, 1<<20)
	for _, codecName := range codecs() {
		t.Run(codecName, func(t *testing.T) {
			level := codecName
			if codecName == "bzip2" || codecName == "lz4" || codecName == "gzip" || codecName == "zstd" {
				level += ":1"
			}
			packed := compressed(t, level, nil, func(w io.Writer, _ []byte) error {
				for range size / len(chunk) {
					if _, err := w.Write(chunk); err != nil {
						return err
					}
				}
				return nil
			})
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			z, err := codec.NewReader(bufio.NewReader(bytes.NewReader(packed)))
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			var total int64
			for {
				n, err := z.Read(chunk)
				total += int64(n)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if total > size {
					t.Fatalf("more than %d bytes", size)
				}
				if total > size/2 && after.HeapAlloc == 0 {
					runtime.GC()
					runtime.ReadMemStats(&after)
				}
			}
			if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 20<<20 {
				t.Errorf("%d bytes of zeros from %d hold %d bytes", size, len(packed), held)
			}
		})
	}
}

// Memory holds the largest window, and not everything before it.
func TestBombWithLargestWindow(t *testing.T) {
	const blocks, blockSize = 2048, 128 << 10
	packed := []byte("\x28\xb5\x2f\xfd\x00\x88") // 128 MiB
	for i := range blocks {
		header := blockSize<<3 | 1<<1 // one byte over and over
		if i == blocks-1 {
			header |= 1
		}
		packed = append(packed, byte(header), byte(header>>8), byte(header>>16), 'x')
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	z, err := codec.NewReader(bufio.NewReader(bytes.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	n, err := io.CopyN(io.Discard, z, blocks*blockSize-1)
	if err != nil {
		t.Fatalf("%d bytes, error %v", n, err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 160<<20 {
		t.Errorf("%d bytes from %d hold %d bytes", n, len(packed), held)
	}
	if rest, err := io.ReadAll(z); len(rest) != 1 || err != nil {
		t.Errorf("%d bytes are left, error %v", len(rest), err)
	}
}
