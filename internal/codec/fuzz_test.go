package codec_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
)

// What is read of any input, whole or damaged, depends on the member alone: it
// is the same without what follows. There is no panic.
func FuzzReader(f *testing.F) {
	for _, method := range append(codecs(), "zstd:1", "lz4:1") {
		m, err := codec.Parse(method)
		if err != nil {
			f.Fatal(err)
		}
		for _, content := range []string{"", "x", "hello hello hello hello"} {
			var b bytes.Buffer
			w, err := m.NewWriter(&b)
			if err != nil {
				f.Fatal(err)
			}
			io.WriteString(w, content)
			if err := w.Close(); err != nil {
				f.Fatal(err)
			}
			f.Add(b.Bytes())
			f.Add(append(b.Bytes(), "\x00\x00\x00\x00070701"...))
		}
	}
	for _, name := range codec.FilterNames() {
		packed, err := os.ReadFile("testdata/bcj/" + name + ".xz")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	const most = 16 << 20 // of content that is looked at
	f.Fuzz(func(t *testing.T, input []byte) {
		below := bytes.NewReader(input)
		r := bufio.NewReader(below)
		z, err := codec.NewReader(r)
		if err != nil {
			return
		}
		defer z.Close()
		content, err := io.ReadAll(io.LimitReader(z, most))
		if err != nil || len(content) == most {
			return
		}
		end := len(input) - below.Len() - r.Buffered()
		if z.Codec() == "lz4" && end < len(input) && end+4 > len(input) {
			end = len(input)
		}
		again, err := member(bufio.NewReader(bytes.NewReader(input[:end])))
		if err != nil || !bytes.Equal(again, content) {
			t.Errorf("%s: %d bytes of content with what follows, %d without, error %v", z.Codec(), len(content), len(again), err)
		}
	})
}

// Whatever goes in comes back from lzo, whose compressor is ours.
func FuzzLZO(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("hello hello hello"))
	f.Add(bytes.Repeat([]byte("0123456789abcdef"), 30))
	f.Add(samples()["text"][:1000])
	m, err := codec.Parse("lzo")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		var b bytes.Buffer
		w, err := m.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := member(bufio.NewReader(&b)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back as %d, error %v", len(content), len(got), err)
		}
	})
}
