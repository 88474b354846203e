package codec_test

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	stdgzip "compress/gzip"
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
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// kernelWindow is the largest window that lib/decompress_unzstd.c takes.
const kernelWindow = 128 << 20

// methods are every codec, and every codec at each of its levels.
func methods() []string { return append(codec.Names(), levels()...) }

// levels are every codec that has levels, at each of them.
func levels() []string {
	var all []string
	for _, c := range codec.All() {
		for level := c.Lowest; level <= c.Highest && level > 0; level++ {
			all = append(all, fmt.Sprintf("%s:%d", c.Name, level))
		}
	}
	return all
}

// samples are contents that compress in different ways, some of several blocks.
var samples = sync.OnceValue(func() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 150<<10)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	var text bytes.Buffer
	for text.Len() < 200<<10 {
		fmt.Fprintf(&text, "file /usr/lib/%x out/%x 0755 0 0\n", r.IntN(5000), r.IntN(5000))
	}
	return map[string][]byte{
		"empty":    nil,
		"one byte": {'x'},
		"short":    []byte("hello hello hello"),
		"zeros":    make([]byte, 300<<10+1),
		"random":   random,
		"text":     text.Bytes(),
		"mixed":    bytes.Join([][]byte{text.Bytes()[:100<<10], random, make([]byte, 100<<10), text.Bytes()}, nil),
	}
})

func compressed(t *testing.T, method string, content []byte, write func(io.Writer, []byte) error) []byte {
	t.Helper()
	m, err := codec.Parse(method)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := m.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(w, content); err != nil {
		t.Fatalf("%s: write: %v", method, err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%s: close: %v", method, err)
	}
	return b.Bytes()
}

func writeAtOnce(w io.Writer, content []byte) error {
	_, err := w.Write(content)
	return err
}

// newReader returns a reader that another package wrote, if there is one, or a reader with
// the kernel's limits.
func newReader(method string, r io.Reader) (io.ReadCloser, error) {
	codecName, _, _ := strings.Cut(method, ":")
	switch codecName {
	case "gzip":
		return stdgzip.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(kernelWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case "xz":
		z, err := xz.NewReader(r)
		return io.NopCloser(z), err
	case "lzma":
		z, err := lzma.NewReader(r)
		return io.NopCloser(z), err
	case "lz4":
		return io.NopCloser(lz4.NewReader(r)), nil
	case "bzip2":
		return io.NopCloser(bzip2.NewReader(r)), nil
	case "none":
		return io.NopCloser(r), nil
	default:
		return codec.NewReader(bufio.NewReader(r))
	}
}

func decompressed(t *testing.T, method string, packed []byte) []byte {
	t.Helper()
	r, err := newReader(method, bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return content
}

func TestRoundTrip(t *testing.T) {
	for _, method := range append(codec.Names(), "gzip:1", "zstd:1", "zstd:22", "lz4:1", "bzip2:1") {
		t.Run(method, func(t *testing.T) {
			for name, content := range samples() {
				packed := compressed(t, method, content, writeAtOnce)
				if got := decompressed(t, method, packed); !bytes.Equal(got, content) {
					t.Errorf("%s: %d bytes came back other than they were", name, len(content))
				}
			}
		})
	}
}

func TestEveryLevel(t *testing.T) {
	text := samples()["text"][:32<<10]
	for _, method := range methods() {
		packed := compressed(t, method, text, writeAtOnce)
		if got := decompressed(t, method, packed); !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes came back other than they were", method, len(text))
		}
		if limit := len(text) * 3 / 5; method != "none" && len(packed) > limit {
			t.Errorf("%s: text of %d bytes became %d", method, len(text), len(packed))
		}
	}
}

func TestParse(t *testing.T) {
	for _, text := range append(codec.Names(), levels()...) {
		if _, err := codec.Parse(text); err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		}
	}
	messages := map[string]string{}
	for _, text := range []string{
		"", "brotli", "GZIP", ":9",
		"gzip:", "gzip:0", "gzip:10", "gzip:-1", "gzip:best", "gzip:6:7", "gzip:99999999999999999999",
		"zstd:0", "zstd:23", "lz4:0", "bzip2:10",
		"xz:6", "lzma:9", "lzo:1", "none:", "none:1",
	} {
		c, err := codec.Parse(text)
		if err == nil || c != (codec.Compression{}) {
			t.Errorf("Parse(%q) = %v, %v: want an error alone", text, c, err)
			continue
		}
		name, _, _ := strings.Cut(text, ":")
		if !slices.Contains(codec.Names(), name) {
			// The text of this error has the names of all codecs.
			if !strings.Contains(err.Error(), strings.Join(codec.Names(), ", ")) {
				t.Errorf("Parse(%q): %v: want the names of the codecs", text, err)
			}
			continue
		}
		messages[text] = err.Error()
	}
	golden.Messages(t, "TestParse.txt", messages)
}

// A codec without a level has its default level, so that both share a cache.
func TestDefaultLevel(t *testing.T) {
	text := samples()["text"]
	for _, c := range codec.All() {
		if c.Highest == 0 {
			continue
		}
		if c.Default < c.Lowest || c.Default > c.Highest {
			t.Errorf("%s: level %d is not one of %d to %d", c.Name, c.Default, c.Lowest, c.Highest)
		}
		leveled := fmt.Sprintf("%s:%d", c.Name, c.Default)
		if !bytes.Equal(compressed(t, c.Name, text, writeAtOnce), compressed(t, leveled, text, writeAtOnce)) {
			t.Errorf("%s and %s differ", c.Name, leveled)
		}
	}
}

// Each codec has an extension of its own, and so has none: no extension.
func TestExtensions(t *testing.T) {
	owners := map[string]string{}
	for _, c := range codec.All() {
		if other, ok := owners[c.Extension]; ok || (c.Extension == "") != (c.Name == codec.None) {
			t.Errorf("%s: extension %q, which %q has too", c.Name, c.Extension, other)
		}
		owners[c.Extension] = c.Name
	}
}

func TestZeroCompression(t *testing.T) {
	var b bytes.Buffer
	w, err := codec.Compression{}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "plain")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if b.String() != "plain" {
		t.Errorf("the zero Compression writes %q, want plain", b.String())
	}
}

// closeRecorder fails a codec that closes what it was given.
type closeRecorder struct {
	bytes.Buffer
	closed bool
}

func (c *closeRecorder) Close() error {
	c.closed = true
	return nil
}

func TestCloseLeavesWriterOpen(t *testing.T) {
	for _, method := range codec.Names() {
		m, err := codec.Parse(method)
		if err != nil {
			t.Fatal(err)
		}
		var below closeRecorder
		w, err := m.NewWriter(&below)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "x")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if below.closed {
			t.Errorf("%s closed the writer below", method)
		}
	}
}

func TestGzipHeader(t *testing.T) {
	for level := 1; level <= 9; level++ {
		packed := compressed(t, fmt.Sprintf("gzip:%d", level), []byte("content"), writeAtOnce)
		// Magic, deflate, no flags, no time; the kernel does not care about what follows.
		if want := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0}; !bytes.HasPrefix(packed, want) {
			t.Errorf("level %d: the header is %x, want %x...", level, packed[:10], want)
		}
	}
}

// One member, for the kernel wants an end at an entry's end only.
func TestGzipOneMember(t *testing.T) {
	for name, content := range samples() {
		z, err := stdgzip.NewReader(bytes.NewReader(compressed(t, "gzip", content, writeAtOnce)))
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		if n, err := io.Copy(io.Discard, z); n != int64(len(content)) || err != nil {
			t.Errorf("%s: the first member has %d bytes, %v, want %d, nil", name, n, err, len(content))
		}
	}
}

// zstdHeader keeps the beginning of a frame. The library writes to it from a
// goroutine of its own.
type zstdHeader struct {
	mu    sync.Mutex
	bytes []byte
}

func (h *zstdHeader) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes = append(h.bytes, p[:min(len(p), zstd.HeaderMaxSize-len(h.bytes))]...)
	return len(p), nil
}

func (h *zstdHeader) whole() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.bytes) == zstd.HeaderMaxSize
}

func (h *zstdHeader) decode(t *testing.T) zstd.Header {
	t.Helper()
	var header zstd.Header
	if err := header.Decode(h.bytes); err != nil {
		t.Fatal(err)
	}
	return header
}

func TestZstdWindow(t *testing.T) {
	// More than any of the library's windows, and enough that the frame is begun
	// before its size is known.
	const size = 44 << 20
	zeros, mixed := make([]byte, 1<<20), samples()["mixed"]
	// The library has four levels of its own: each of these is another of them.
	whole := map[int]bool{1: true, 3: true, 7: true, 22: true}
	for level := 1; level <= 22; level++ {
		t.Run(fmt.Sprint(level), func(t *testing.T) {
			m, err := codec.Parse(fmt.Sprintf("zstd:%d", level))
			if err != nil {
				t.Fatal(err)
			}
			var header zstdHeader
			w, err := m.NewWriter(&header)
			if err != nil {
				t.Fatal(err)
			}
			chunk := mixed
			if whole[level] {
				chunk = zeros
			}
			for written := 0; written < size; written += len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					t.Fatal(err)
				}
				if !whole[level] && header.whole() {
					break // the window is told: the rest would only take time
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got := header.decode(t)
			if got.SingleSegment {
				t.Error("the frame is one segment: its window is its size")
			}
			if got.WindowSize == 0 || got.WindowSize > kernelWindow {
				t.Errorf("the window is %d bytes, the kernel takes %d at most", got.WindowSize, kernelWindow)
			}
			if got.Skippable || got.DictionaryID != 0 {
				t.Errorf("the kernel does not read such a frame: %+v", got)
			}
		})
	}
}

// A stream longer than its window comes back under the kernel's limit, and is
// the same on any number of cores.
func TestZstdLong(t *testing.T) {
	t.Cleanup(func() { runtime.GOMAXPROCS(runtime.NumCPU()) })
	text := samples()["text"]
	long := bytes.Repeat(text, 44<<20/len(text)+1)
	runtime.GOMAXPROCS(1)
	packed := compressed(t, "zstd:1", long, writeAtOnce)
	if !bytes.Equal(decompressed(t, "zstd:1", packed), long) {
		t.Errorf("%d bytes came back other than they were", len(long))
	}
	runtime.GOMAXPROCS(8)
	if !bytes.Equal(compressed(t, "zstd:1", long, writeAtOnce), packed) {
		t.Errorf("%d bytes compress to others on 8 cores than on one", len(long))
	}
}

// Same input, same bytes: neither cores nor the sizes of writes matter.
func TestSameBytes(t *testing.T) {
	t.Cleanup(func() { runtime.GOMAXPROCS(runtime.NumCPU()) })
	mixed := samples()["mixed"]
	writers := map[string]func(io.Writer, []byte) error{
		"unevenly": writeUnevenly,
		"with ReadFrom": func(w io.Writer, p []byte) error {
			_, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(p)))
			return err
		},
	}
	for _, method := range append(codec.Names(), "gzip:1", "zstd:1", "zstd:22", "lz4:1", "bzip2:1") {
		t.Run(method, func(t *testing.T) {
			runtime.GOMAXPROCS(1)
			want := compressed(t, method, mixed, writeAtOnce)
			for _, cores := range []int{1, 2, 8} {
				runtime.GOMAXPROCS(cores)
				for name, write := range writers {
					if got := compressed(t, method, mixed, write); !bytes.Equal(got, want) {
						t.Errorf("%d cores, written %s: other bytes than on one core at once", cores, name)
					}
				}
			}
		})
	}
}

func writeUnevenly(w io.Writer, p []byte) error {
	r := rand.New(rand.NewPCG(3, 4))
	for len(p) > 0 {
		n := min(r.IntN(1<<(r.IntN(18)+1)), len(p)) // none at all, too
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// fullWriter takes left bytes, then fails.
type fullWriter struct {
	left int
	err  error
}

func (w *fullWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	if w.left -= n; n < len(p) {
		return n, w.err
	}
	return n, nil
}

// When the writer below fails, its error comes back, from Close at the latest, and nothing is written after it.
func TestWriterBelowFails(t *testing.T) {
	full := errors.New("no space left")
	random := samples()["random"]
	before := runtime.NumGoroutine()
	for _, method := range append(codec.Names(), "zstd:1", "zstd:19", "lz4:1", "bzip2:1") {
		for _, room := range []int{0, 1, 9, 10, 11, 4096, 140_000} {
			m, err := codec.Parse(method)
			if err != nil {
				t.Fatal(err)
			}
			w, err := m.NewWriter(&fullWriter{room, full})
			if errors.Is(err, full) {
				continue // one that writes its header at once
			}
			if err != nil {
				t.Fatal(err)
			}
			var first error
			for range 3 { // a caller that does not look at once
				if _, err := w.Write(random); first == nil {
					first = err
				}
			}
			if err := w.Close(); first == nil {
				first = err
			}
			if !errors.Is(first, full) {
				t.Errorf("%s with room for %d bytes: the error is %v, want %v", method, room, first, full)
			}
		}
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before there were %d", runtime.NumGoroutine(), before)
		}
	}
}
