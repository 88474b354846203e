package codec_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// files are contents as compression programs write them, which kernels do not take.
func files(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	write := func(w io.WriteCloser, err error) {
		t.Helper()
		if err == nil {
			_, err = w.Write(content)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var xzFile, lz4File, zstdFile bytes.Buffer
	write(xz.WriterConfig{CheckSum: xz.CRC64}.NewWriter(&xzFile))
	write(lz4.NewWriter(&lz4File), nil)
	write(zstd.NewWriter(&zstdFile))
	return map[string][]byte{"xz": xzFile.Bytes(), "lz4": lz4File.Bytes(), "zstd": zstdFile.Bytes()}
}

func readFile(packed []byte) (name string, content []byte, err error) {
	z, err := codec.NewFileReader(bufio.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return "", nil, err
	}
	defer z.Close()
	content, err = io.ReadAll(z)
	return z.Codec(), content, err
}

// A file is read to its end, across all its members.
func TestFileReader(t *testing.T) {
	content := samples()["mixed"][:100<<10]
	inputs := files(t, content)
	for _, name := range codecs() {
		inputs[name+" for a kernel"] = compressed(t, name, content, writeAtOnce)
	}
	for name, packed := range inputs {
		want, _, _ := strings.Cut(name, " ")
		if got := codec.DetectFile(packed[:8]); got != want {
			t.Errorf("%s: DetectFile = %q", name, got)
		}
		for _, count := range []int{1, 3} {
			got, read, err := readFile(bytes.Repeat(packed, count))
			if got != want || err != nil || !bytes.Equal(read, bytes.Repeat(content, count)) {
				t.Errorf("%s, %d times: %d bytes of %q, error %v", name, count, len(read), got, err)
			}
		}
	}
}

func TestFileReaderErrors(t *testing.T) {
	for _, input := range []string{"", "x", "070701", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if _, _, err := readFile([]byte(input)); !errors.Is(err, codec.ErrNotCompressed) {
			t.Errorf("%q: error %v, want %v", input, err, codec.ErrNotCompressed)
		}
	}
	for name, packed := range files(t, samples()["text"]) {
		_, _, err := readFile(packed[:len(packed)/2])
		if err == nil || !strings.HasPrefix(err.Error(), name+": ") || strings.Count(err.Error(), name+": ") != 1 {
			t.Errorf("%s, cut off: error %v", name, err)
		}
	}
	for _, name := range codecs() {
		packed := compressed(t, name, samples()["text"], writeAtOnce)
		if _, _, err := readFile(slices.Concat(packed[:len(packed)/2])); err == nil || strings.HasPrefix(err.Error(), name+": "+name+": "+name) {
			t.Errorf("%s, cut off: error %v", name, err)
		}
	}
}

// What may follow the compressed data is what the format's program ignores without a word.
func TestFileReaderEnds(t *testing.T) {
	content := samples()["text"]
	packed := files(t, content)
	for _, name := range codecs() {
		if packed[name] == nil {
			packed[name] = compressed(t, name, content, writeAtOnce)
		}
	}
	zeros := func(n int) string { return string(make([]byte, n)) }
	messages := map[string]string{}
	for name, file := range packed {
		for end, fine := range map[string]bool{
			zeros(512):              name == "gzip" || name == "bzip2" || name == "xz",
			zeros(3):                name == "gzip" || name == "bzip2",
			"junk":                  false,
			zeros(512) + "junk":     false,
			zeros(512) + "junk\x00": false,
		} {
			_, got, err := readFile(append(bytes.Clone(file), end...))
			if fine && (err != nil || !bytes.Equal(got, content)) || !fine && err == nil {
				t.Errorf("%s, followed by %.10q: error %v", name, end, err)
			}
			if end == "junk" && err != nil && name != "zstd" && name != "lz4" { // the libraries' words
				messages[name] = err.Error()
			}
		}
	}
	golden.Messages(t, "TestFileReaderEnds.txt", messages)
}
