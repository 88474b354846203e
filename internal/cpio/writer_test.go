package cpio_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// Every field has a value of its own, so that no two can be confused.
var allFields = cpio.Header{
	Name: "f", Ino: 0x11111111, Mode: 0x22222222, UID: 0x33333333, GID: 0x44444444,
	NLink: 0x55555555, MTime: 0x66666666, Size: 0, Major: 0x77777777, Minor: 0x88888888,
	RMajor: 0x99999999, RMinor: 0xabcdef00,
}

const trailer = "070701" +
	"00000000" + "00000000" + "00000000" + "00000000" + // ino, mode, uid, gid
	"00000001" + "00000000" + "00000000" + // nlink, mtime, size
	"00000000" + "00000000" + "00000000" + "00000000" + // device, rdevice
	"0000000B" + "00000000" + // namesize, check
	"TRAILER!!!\x00" + "\x00\x00\x00"

func TestWriter(t *testing.T) {
	tests := []struct {
		name   string
		header cpio.Header
		body   string
		want   string
	}{
		{
			"all fields", allFields, "",
			"070701" + "11111111" + "22222222" + "33333333" + "44444444" +
				"55555555" + "66666666" + "00000000" +
				"77777777" + "88888888" + "99999999" + "ABCDEF00" +
				"00000002" + "00000000" + "f\x00",
		},
		{
			"zero", cpio.Header{}, "",
			"070701" + "00000000" + "00000000" + "00000000" + "00000000" +
				"00000000" + "00000000" + "00000000" +
				"00000000" + "00000000" + "00000000" + "00000000" +
				"00000001" + "00000000" + "\x00\x00",
		},
		{
			"greatest numbers",
			cpio.Header{
				Name: "x", Ino: 1<<32 - 1, Mode: 1<<32 - 1, UID: 1<<32 - 1, GID: 1<<32 - 1, NLink: 1<<32 - 1, MTime: 1<<32 - 1,
				Major: 1<<32 - 1, Minor: 1<<32 - 1, RMajor: 1<<32 - 1, RMinor: 1<<32 - 1,
			}, "",
			"070701" + "FFFFFFFF" + "FFFFFFFF" + "FFFFFFFF" + "FFFFFFFF" +
				"FFFFFFFF" + "FFFFFFFF" + "00000000" +
				"FFFFFFFF" + "FFFFFFFF" + "FFFFFFFF" + "FFFFFFFF" +
				"00000002" + "00000000" + "x\x00",
		},
		{
			"file", cpio.Header{Name: "etc/motd", Ino: 721, Mode: 0o100644, NLink: 1, Size: 5, Major: 3, Minor: 1}, "hello",
			"070701" + "000002D1" + "000081A4" + "00000000" + "00000000" +
				"00000001" + "00000000" + "00000005" +
				"00000003" + "00000001" + "00000000" + "00000000" +
				"00000009" + "00000000" + "etc/motd\x00\x00" + "hello\x00\x00\x00",
		},
		{
			"slink", cpio.Header{Name: "bin", Ino: 721, Mode: 0o120777, NLink: 1, Size: 8, Major: 3, Minor: 1}, "usr/bin\x00",
			"070701" + "000002D1" + "0000A1FF" + "00000000" + "00000000" +
				"00000001" + "00000000" + "00000008" +
				"00000003" + "00000001" + "00000000" + "00000000" +
				"00000004" + "00000000" + "bin\x00\x00\x00" + "usr/bin\x00",
		},
		{
			"nod", cpio.Header{Name: "dev/sda", Ino: 721, Mode: 0o060600, NLink: 1, Major: 3, Minor: 1, RMajor: 8, RMinor: 16}, "",
			"070701" + "000002D1" + "00006180" + "00000000" + "00000000" +
				"00000001" + "00000000" + "00000000" +
				"00000003" + "00000001" + "00000008" + "00000010" +
				"00000008" + "00000000" + "dev/sda\x00\x00\x00",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			w := cpio.NewWriter(&b)
			if err := w.WriteHeader(&test.header); err != nil {
				t.Fatal(err)
			}
			if n, err := io.WriteString(w, test.body); n != len(test.body) || err != nil {
				t.Fatalf("Write = %d, %v, want %d, nil", n, err, len(test.body))
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(block(test.want+trailer), b.String()); diff != "" {
				t.Errorf("archive (-want +got):\n%s", diff)
			}
		})
	}
}

// block pads an archive as its end is padded.
func block(archive string) string {
	return archive + strings.Repeat("\x00", -len(archive)&511)
}

func TestWriterEmpty(t *testing.T) {
	var b bytes.Buffer
	if err := cpio.NewWriter(&b).Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(block(trailer), b.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

// Whatever the lengths of names and bodies, each record begins at a multiple of
// four, and so does each body.
func TestWriterPadding(t *testing.T) {
	for nameLen := range 9 {
		for bodyLen := range 9 {
			var b bytes.Buffer
			w := cpio.NewWriter(&b)
			name, body := strings.Repeat("n", nameLen), strings.Repeat("b", bodyLen)
			for range 2 {
				if err := w.WriteHeader(&cpio.Header{Name: name, Size: int64(bodyLen)}); err != nil {
					t.Fatal(err)
				}
				io.WriteString(w, body)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			record := fmt.Sprintf("070701%048d%08X%032d%08X%08d%s", 0, bodyLen, 0, nameLen+1, 0, name+"\x00")
			record += strings.Repeat("\x00", -len(record)&3) + body
			record += strings.Repeat("\x00", -len(record)&3)
			if diff := cmp.Diff(block(record+record+trailer), b.String()); diff != "" {
				t.Fatalf("name of %d, body of %d bytes (-want +got):\n%s", nameLen, bodyLen, diff)
			}
		}
	}
}

// The end of the trailer meets the end of a block at every distance.
func TestWriterBlocks(t *testing.T) {
	for size := range int64(1030) {
		var b bytes.Buffer
		w := cpio.NewWriter(&b)
		if err := w.WriteHeader(&cpio.Header{Name: "a", Size: size}); err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, size))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		least := 112 + int(size+3)&^3 + len(trailer)
		if want := (least + 511) &^ 511; b.Len() != want {
			t.Fatalf("an archive with a body of %d bytes has %d bytes, want %d", size, b.Len(), want)
		}
	}
}

func TestWriteHeaderLimits(t *testing.T) {
	tests := []struct {
		name   string
		header cpio.Header
		want   error
	}{
		{"longest name", cpio.Header{Name: strings.Repeat("n", 4095)}, nil},
		{"long name", cpio.Header{Name: strings.Repeat("n", 4096)}, cpio.ErrName},
		{"NUL in the name", cpio.Header{Name: "a\x00b"}, cpio.ErrName},
		{"NUL at the end of the name", cpio.Header{Name: "a\x00"}, cpio.ErrName},
		{"greatest size", cpio.Header{Size: 4294967295}, nil},
		{"too large", cpio.Header{Size: 4294967296}, cpio.ErrTooLarge},
		{"size below 0", cpio.Header{Size: -1}, cpio.ErrTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			err := cpio.NewWriter(&b).WriteHeader(&test.header)
			if err != test.want {
				t.Errorf("WriteHeader = %v, want %v", err, test.want)
			}
			if err != nil && b.Len() > 0 {
				t.Errorf("%d bytes are written all the same", b.Len())
			}
			if err == nil {
				if got, want := b.String()[54:62], fmt.Sprintf("%08X", test.header.Size); got != want {
					t.Errorf("size %q, want %q", got, want)
				}
				if got, want := b.String()[94:102], fmt.Sprintf("%08X", len(test.header.Name)+1); got != want {
					t.Errorf("namesize %q, want %q", got, want)
				}
			}
		})
	}
}

// sticks checks that every call after an error returns it and writes nothing.
func sticks(t *testing.T, w *cpio.Writer, b *bytes.Buffer, want error) {
	t.Helper()
	before := b.Len()
	if n, err := w.Write([]byte("x")); n != 0 || err != want {
		t.Errorf("Write = %d, %v, want 0, %v", n, err, want)
	}
	if n, err := w.Write(nil); n != 0 || err != want {
		t.Errorf("Write of nothing = %d, %v, want 0, %v", n, err, want)
	}
	if err := w.WriteHeader(&cpio.Header{Name: "a"}); err != want {
		t.Errorf("WriteHeader = %v, want %v", err, want)
	}
	if err := w.Close(); err != want {
		t.Errorf("Close = %v, want %v", err, want)
	}
	if b.Len() != before {
		t.Errorf("%d bytes are written after the error %v", b.Len()-before, want)
	}
}

func TestStickyHeaderError(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	if err := w.WriteHeader(&cpio.Header{Name: "a\x00"}); err != cpio.ErrName {
		t.Fatalf("WriteHeader = %v, want %v", err, cpio.ErrName)
	}
	sticks(t, w, &b, cpio.ErrName)
}

func TestShortBody(t *testing.T) {
	for _, end := range []struct {
		name string
		call func(*cpio.Writer) error
	}{
		{"WriteHeader", func(w *cpio.Writer) error { return w.WriteHeader(&cpio.Header{Name: "b"}) }},
		{"Close", (*cpio.Writer).Close},
	} {
		t.Run(end.name, func(t *testing.T) {
			var b bytes.Buffer
			w := cpio.NewWriter(&b)
			if err := w.WriteHeader(&cpio.Header{Name: "a", Size: 4}); err != nil {
				t.Fatal(err)
			}
			if n, err := w.Write([]byte("abc")); n != 3 || err != nil {
				t.Fatalf("Write = %d, %v, want 3, nil", n, err)
			}
			if err := end.call(w); err != cpio.ErrShortBody {
				t.Errorf("%v, want %v", err, cpio.ErrShortBody)
			}
			sticks(t, w, &b, cpio.ErrShortBody)
		})
	}
}

func TestWriteTooLong(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	if err := w.WriteHeader(&cpio.Header{Name: "a", Size: 4}); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write([]byte("abc")); n != 3 || err != nil {
		t.Fatalf("Write = %d, %v, want 3, nil", n, err)
	}
	if n, err := w.Write([]byte("de")); n != 1 || err != cpio.ErrWriteTooLong {
		t.Errorf("Write = %d, %v, want 1, %v", n, err, cpio.ErrWriteTooLong)
	}
	if !strings.HasSuffix(b.String(), "a\x00abcd") {
		t.Errorf("the archive ends with %q, want the body abcd", b.String()[110:])
	}
	sticks(t, w, &b, cpio.ErrWriteTooLong)
}

func TestWriteWithoutHeader(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	if n, err := w.Write(nil); n != 0 || err != nil {
		t.Errorf("Write of nothing = %d, %v, want 0, nil", n, err)
	}
	if n, err := w.Write([]byte("x")); n != 0 || err != cpio.ErrWriteTooLong {
		t.Errorf("Write = %d, %v, want 0, %v", n, err, cpio.ErrWriteTooLong)
	}
	sticks(t, w, &b, cpio.ErrWriteTooLong)
}

func TestWriteAfterClose(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sticks(t, w, &b, cpio.ErrWriteAfterClose)
}

// limitedWriter takes left bytes, then fails with err, or, without an err,
// takes less than it is given, which no io.Writer may.
type limitedWriter struct {
	left int
	err  error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) <= w.left {
		w.left -= len(p)
		return len(p), nil
	}
	n := w.left
	w.left = 0
	return n, w.err
}

// An error of the writer below comes back, wherever it strikes.
func TestWriterBelowFails(t *testing.T) {
	full := errors.New("no space left")
	for _, test := range []struct{ err, want error }{{full, full}, {nil, io.ErrShortWrite}} {
		for room := range 512 {
			w := cpio.NewWriter(&limitedWriter{room, test.err})
			err := func() error {
				if err := w.WriteHeader(&cpio.Header{Name: "name", Size: 5}); err != nil {
					return err
				}
				if n, err := w.Write([]byte("hello")); err != nil {
					if n >= 5 {
						t.Errorf("room for %d bytes: Write = %d, %v", room, n, err)
					}
					return err
				}
				return w.Close()
			}()
			if err != test.want {
				t.Fatalf("room for %d bytes: %v, want %v", room, err, test.want)
			}
			if err := w.Close(); err != test.want {
				t.Fatalf("room for %d bytes: Close = %v, want %v", room, err, test.want)
			}
		}
	}
}

func TestChecksum(t *testing.T) {
	tests := []struct {
		sum  uint32
		body string
		want uint32
	}{
		{0, "", 0},
		{7, "", 7},
		{0, "\x00\x01\x80\xff", 384}, // bytes count from 0 to 255
		{math.MaxUint32, "\x02", 1},  // modulo 1<<32
	}
	for _, test := range tests {
		if got := cpio.Checksum(test.sum, []byte(test.body)); got != test.want {
			t.Errorf("Checksum(%d, %q) = %d, want %d", test.sum, test.body, got, test.want)
		}
	}
}

// The sum stands only where the kernel's tool writes it: in a regular file's
// record that has the content.
func TestWriterChecksums(t *testing.T) {
	const sum = 'a' + 'b'
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	w.Checksums = true
	want := ""
	for _, r := range []struct {
		mode uint32
		body string
		sum  uint32
	}{
		{0o100644, "ab", sum},
		{0o100644, "", 0},
		{0o120777, "ab", 0},
		{0o040755, "", 0},
	} {
		if err := w.WriteHeader(&cpio.Header{Name: "n", Mode: r.mode, Size: int64(len(r.body)), Checksum: sum}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, r.body); err != nil {
			t.Fatal(err)
		}
		record := fmt.Sprintf("070702%08d%08X%032d%08X%032d%08X%08Xn\x00", 0, r.mode, 0, len(r.body), 0, 2, r.sum) + r.body
		want += record + strings.Repeat("\x00", -len(record)&3)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(block(want+strings.Replace(trailer, "070701", "070702", 1)), b.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

func TestWriterWrongChecksum(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	w.Checksums = true
	if err := w.WriteHeader(&cpio.Header{Name: "a", Mode: 0o100644, Size: 2, Checksum: 'a' + 'b' + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "a"); err != nil {
		t.Errorf("the sum of half a body: %v", err)
	}
	if _, err := io.WriteString(w, "b"); err != cpio.ErrChecksum {
		t.Errorf("Write = %v, want %v", err, cpio.ErrChecksum)
	}
	sticks(t, w, &b, cpio.ErrChecksum)
}

// Without checksums, a header's sum is not written and not checked.
func TestWriterWithoutChecksums(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	if err := w.WriteHeader(&cpio.Header{Name: "a", Mode: 0o100644, Size: 2, Checksum: 99}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "ab"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.String()[102:110]; got != "00000000" {
		t.Errorf("checksum %s, want none", got)
	}
}

// Each body that is larger than the alignment begins at a multiple of it, after
// names of every length.
func TestWriterAlign(t *testing.T) {
	for _, align := range []int{4, 8, 64, 512, 2048} {
		for length := range 70 {
			var b bytes.Buffer
			w := cpio.NewWriter(&b)
			w.Align = uint32(align)
			name := strings.Repeat("n", length)
			for _, size := range []int{align + 1, align + 5, 3*align + 2} {
				if err := w.WriteHeader(&cpio.Header{Name: name, Mode: 0o100644, Size: int64(size)}); err != nil {
					t.Fatal(err)
				}
				if b.Len()%align != 0 || !w.Aligned() {
					t.Fatalf("align %d, name of %d bytes: the body begins at %d, aligned %t", align, length, b.Len(), w.Aligned())
				}
				w.Write(make([]byte, size))
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What gains nothing is not aligned: bodies up to the alignment, and others than
// regular files'.
func TestWriterAlignNot(t *testing.T) {
	for _, h := range []cpio.Header{
		{Name: "n", Mode: 0o100644, Size: 512},
		{Name: "n", Mode: 0o100644},
		{Name: "n", Mode: 0o120777, Size: 1000},
		{Name: "n", Mode: 0o040755},
	} {
		var b bytes.Buffer
		w := cpio.NewWriter(&b)
		w.Align = 512
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if b.Len() != 112 || !w.Aligned() {
			t.Errorf("%+v: a record of %d bytes, want 112; aligned %t", h, b.Len(), w.Aligned())
		}
	}
}

// The name's size has room for 4096 bytes with its NULs; where that does not do,
// the body begins where it would begin without alignment. Records and bodies
// begin at multiples of four after 110 bytes of header, so that the sizes next to
// the limit are 4094 and 4098.
func TestWriterAlignLimit(t *testing.T) {
	const align = 8192
	for _, test := range []struct {
		start   int // where the record begins
		name    int // bytes of the name
		size    int // the name's, in its header
		aligned bool
	}{
		{8192 - 110 - 4094, 10, 4094, true},
		{8192 - 110 - 4098, 10, 11, false},
		{8192 - 110 - 4094, 4093, 4094, true},
		{8192 - 110 - 4094, 4094, 4095, false},
		{8192 - 110 - 4094, 4095, 4096, false},
		{8192 - 110 - 2, 1, 2, true},
		{8192 - 110 - 2, 2, 3, false},
	} {
		var b bytes.Buffer
		w := cpio.NewWriter(&b)
		w.Align = align
		body := make([]byte, test.start-112)
		if err := w.WriteHeader(&cpio.Header{Name: "b", Size: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
		w.Write(body)
		h := cpio.Header{Name: strings.Repeat("n", test.name), Mode: 0o100644, Size: align + 1}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		wantLen := (test.start + 110 + test.size + 3) &^ 3
		if got := b.String()[test.start+94:][:8]; got != fmt.Sprintf("%08X", test.size) || b.Len() != wantLen {
			t.Errorf("%+v: namesize %s, body at %d, want %08X, %d", test, got, b.Len(), test.size, wantLen)
		}
		if w.Aligned() != test.aligned {
			t.Errorf("%+v: aligned %t", test, w.Aligned())
		}
		// What comes next is no longer concerned.
		w.Write(make([]byte, align+1))
		if err := w.WriteHeader(&cpio.Header{Name: "n"}); err != nil || !w.Aligned() {
			t.Errorf("%+v: the next record: %v, aligned %t", test, err, w.Aligned())
		}
	}
}

func ExampleWriter() {
	var archive bytes.Buffer
	w := cpio.NewWriter(&archive)
	files := []struct{ name, content string }{
		{"init", "#!/bin/sh\n"},
		{"motd", "welcome"},
	}
	for i, file := range files {
		header := cpio.Header{
			Name:  file.name,
			Ino:   uint32(i + 1),
			Mode:  0o100755,
			NLink: 1,
			Size:  int64(len(file.content)),
		}
		if err := w.WriteHeader(&header); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		if _, err := io.WriteString(w, file.content); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
	}
	if err := w.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(archive.Len(), "bytes")
	fmt.Printf("%q\n", archive.Bytes()[:116])
	// Output:
	// 512 bytes
	// "07070100000001000081ED000000000000000000000001000000000000000A000000000000000000000000000000000000000500000000init\x00\x00"
}

// readerFrom is a buffer that says how often it copied by itself.
type readerFrom struct {
	b      bytes.Buffer
	copied int
}

func (w *readerFrom) Write(p []byte) (int, error) { return w.b.Write(p) }

func (w *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	w.copied++
	return w.b.ReadFrom(r)
}

func TestReadFrom(t *testing.T) {
	file := cpio.Header{Name: "f", Mode: 0o100644, NLink: 1, Size: 5}
	sum := file
	sum.Checksum = cpio.Checksum(0, []byte("hello"))
	tests := []struct {
		name    string
		header  cpio.Header
		sums    bool
		content io.Reader
		copied  int
		n       int64
		err     error
	}{
		{"whole", file, false, &io.LimitedReader{R: strings.NewReader("hello, more"), N: 5}, 1, 5, nil},
		{"not limited", file, false, strings.NewReader("hello"), 1, 5, nil},
		{"too long", file, false, strings.NewReader("hello!"), 1, 5, cpio.ErrWriteTooLong},
		{"limited too long", file, false, &io.LimitedReader{R: strings.NewReader("hello!"), N: 6}, 1, 5, cpio.ErrWriteTooLong},
		{"checksum", sum, true, strings.NewReader("hello"), 0, 5, nil},
		{"wrong checksum", sum, true, strings.NewReader("hallo"), 0, 5, cpio.ErrChecksum},
		{"short", file, false, strings.NewReader("hell"), 1, 4, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got readerFrom
			var want bytes.Buffer
			w, plain := cpio.NewWriter(&got), cpio.NewWriter(&want)
			w.Checksums, plain.Checksums = test.sums, test.sums
			if err := w.WriteHeader(&test.header); err != nil {
				t.Fatal(err)
			}
			n, err := w.ReadFrom(test.content)
			if n != test.n || !errors.Is(err, test.err) || got.copied != test.copied {
				t.Fatalf("ReadFrom = %d, %v, copied %d times, want %d, %v, %d", n, err, got.copied, test.n, test.err, test.copied)
			}
			if test.err != nil {
				if err := w.Close(); !errors.Is(err, test.err) {
					t.Errorf("Close = %v, want %v", err, test.err)
				}
				return
			}
			if test.n < test.header.Size {
				if err := w.Close(); !errors.Is(err, cpio.ErrShortBody) {
					t.Errorf("Close = %v, want %v", err, cpio.ErrShortBody)
				}
				return
			}
			if err := errors.Join(plain.WriteHeader(&test.header), w.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(plain, "hello"); err != nil {
				t.Fatal(err)
			}
			if err := plain.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.String(), got.b.String()); diff != "" {
				t.Errorf("archive (-want +got):\n%s", diff)
			}
		})
	}
}

// Sums of all lengths, beside a loop that knows nothing of words.
func TestChecksumLengths(t *testing.T) {
	p := bytes.Repeat([]byte{0xff}, 5000)
	copy(p[3000:], "\x00\x01\x80 every byte counts \xfe")
	for length := range p {
		want := uint32(7)
		for _, c := range p[:length] {
			want += uint32(c)
		}
		if got := cpio.Checksum(7, p[:length]); got != want {
			t.Fatalf("of %d bytes: %d, want %d", length, got, want)
		}
	}
}
