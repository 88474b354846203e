package cpio_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// raw is a record as it is written, whether it is right or not.
type raw struct {
	magic    string // 070701 if empty
	mode     uint32
	nlink    uint32
	size     int // of the body field; the body's if 0
	nameSize int // of the name field; the name's with its NUL if 0
	name     string
	body     string
	check    uint32
}

func (r raw) String() string {
	magic := r.magic
	if magic == "" {
		magic = "070701"
	}
	if r.size == 0 {
		r.size = len(r.body)
	}
	if r.nameSize == 0 {
		r.nameSize = len(r.name) + 1
	}
	s := fmt.Sprintf("%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		magic, 1, r.mode, 0, 0, r.nlink, 0, r.size, 3, 1, 0, 0, r.nameSize, r.check)
	s += r.name + strings.Repeat("\x00", max(1, r.nameSize-len(r.name)))
	s += strings.Repeat("\x00", -len(s)&3) + r.body
	return s + strings.Repeat("\x00", -len(s)&3)
}

// record is what is read.
type record struct {
	Name string
	Body string
}

// readAll reads until an error, over trailers, which are records without a name.
func readAll(r io.Reader) ([]record, error) {
	var records []record
	for archive := cpio.NewReader(r); archive.More(); {
		h, err := archive.Next()
		if err == io.EOF {
			records = append(records, record{})
			continue
		}
		if err != nil {
			return records, err
		}
		body, err := io.ReadAll(archive)
		if err != nil {
			return records, err
		}
		records = append(records, record{h.Name, string(body)})
	}
	return records, nil
}

func TestReader(t *testing.T) {
	const file = 0o100644
	long := strings.Repeat("n", cpio.MaxName)
	tests := []struct {
		name    string
		archive string
		want    []record
		err     error
	}{
		{"nothing", "", nil, nil},
		{"NULs", "\x00\x00\x00\x00", nil, nil},
		{"file", raw{mode: file, name: "a", body: "hello"}.String() + trailer, []record{{"a", "hello"}, {}}, nil},
		{"no trailer", raw{mode: file, name: "a", body: "hello"}.String(), []record{{"a", "hello"}}, nil},
		{"on after a trailer", trailer + "\x00\x00\x00\x00" + raw{name: "b"}.String() + trailer, []record{{}, {"b", ""}, {}}, nil},
		{"trailer with a body", raw{mode: file, name: "TRAILER!!!", body: "x"}.String() + raw{name: "b"}.String(), []record{{}, {"b", ""}}, nil},
		{"link named as a trailer", raw{mode: 0o120777, name: "TRAILER!!!", body: "x"}.String(), []record{{"TRAILER!!!", "x"}}, nil},
		{"directory named as a trailer, with a body", raw{mode: 0o040755, name: "TRAILER!!!", body: "x"}.String(), []record{{"TRAILER!!!", "x"}}, nil},
		{"empty name", raw{}.String(), []record{{"", ""}}, nil},
		{"longest name", raw{name: long}.String(), []record{{long, ""}}, nil},
		{"name too long", raw{name: long + "n"}.String() + raw{name: "b"}.String(), []record{{long, ""}, {"b", ""}}, nil},
		{"namesize 0", strings.Replace(raw{}.String(), "00000001"+"00000000"+"\x00", "00000000"+"00000000"+"\x00", 1) + raw{name: "b"}.String(), []record{{"", ""}, {"b", ""}}, nil},
		{"padded name", raw{mode: file, name: "a", nameSize: 4096 - 110, body: "b"}.String(), []record{{"a", "b"}}, nil},
		{"name padded to the limit", raw{mode: file, name: "a", nameSize: 4096, body: "b"}.String(), []record{{"a", "b"}}, nil},
		{"name padded past the limit", raw{mode: file, name: "a", nameSize: 4097, body: "b"}.String() + raw{name: "c"}.String(), []record{{"a", "b"}, {"c", ""}}, nil},
		{"trailer padded past the limit", raw{name: "TRAILER!!!", nameSize: 4097}.String(), []record{{"TRAILER!!!", ""}}, nil},
		{"wrong sum after a name that is too long", raw{magic: "070702", mode: file, name: long + "n", body: "b"}.String(), []record{{long, "b"}}, nil},
		{"name longer than the archive", strings.Replace(raw{}.String(), "00000001"+"00000000"+"\x00", "FFFFFFFF"+"00000000"+"\x00", 1), nil, io.ErrUnexpectedEOF},
		{"name without its NUL", raw{name: "abcdef", nameSize: 6}.String(), nil, cpio.ErrName},
		{"digits of either case", strings.Replace(raw{mode: file, size: 0, body: "hello world"}.String(), "0000000B", "0000000b", 1), []record{{"", "hello world"}}, nil},
		{"not a digit", strings.Replace(raw{mode: file}.String(), "000081A4", "0x0081A4", 1), nil, cpio.ErrHeader},
		{"a sign", strings.Replace(raw{mode: file}.String(), "000081A4", "+00081A4", 1), nil, cpio.ErrHeader},
		{"old magic", raw{magic: "070707"}.String(), nil, cpio.ErrHeader},
		{"no magic", raw{magic: "070703"}.String(), nil, cpio.ErrHeader},
		{"junk", "junk", nil, cpio.ErrHeader},
		{"junk after a record", raw{name: "a"}.String() + "junk", []record{{"a", ""}}, cpio.ErrHeader},
		{"broken padding", raw{name: "a"}.String() + "\x00" + raw{name: "b"}.String(), []record{{"a", ""}}, cpio.ErrHeader},
		{"NULs between", raw{name: "a"}.String() + "\x00\x00\x00\x00" + raw{name: "b"}.String(), []record{{"a", ""}, {"b", ""}}, nil},
		{"padding that is not NUL", raw{mode: file, name: "a", body: "hello\x01\x02\x03"[:5]}.String()[:110+2+5] + "xyz", []record{{"a", "hello"}}, nil},
		{"body that is cut off", raw{mode: file, size: 1 << 30, body: "hello"}.String(), nil, io.ErrUnexpectedEOF},

		{"right sum", raw{magic: "070702", mode: file, name: "a", body: "ab", check: 'a' + 'b'}.String(), []record{{"a", "ab"}}, nil},
		{"sum one too small", raw{magic: "070702", mode: file, name: "a", body: "ab", check: 'a' + 'b' - 1}.String(), nil, cpio.ErrChecksum},
		{"sum one too large", raw{magic: "070702", mode: file, name: "a", body: "ab", check: 'a' + 'b' + 1}.String(), nil, cpio.ErrChecksum},
		{"sum of nothing", raw{magic: "070702", mode: file, name: "a"}.String(), []record{{"a", ""}}, nil},
		{"wrong sum of nothing", raw{magic: "070702", mode: file, name: "a", check: 1}.String(), nil, cpio.ErrChecksum},
		{"sum that counts nothing", raw{mode: file, name: "a", body: "ab", check: 1}.String(), []record{{"a", "ab"}}, nil},
		{"sum of a link", raw{magic: "070702", mode: 0o120777, name: "a", body: "ab", check: 1}.String(), []record{{"a", "ab"}}, nil},
		{"sum of a trailer", raw{magic: "070702", name: "TRAILER!!!", check: 1}.String(), []record{{}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once":          strings.NewReader(test.archive),
				"byte by byte":     iotest.OneByteReader(strings.NewReader(test.archive)),
				"data with errors": iotest.DataErrReader(strings.NewReader(test.archive)),
			} {
				got, err := readAll(r)
				if !errors.Is(err, test.err) {
					t.Errorf("%s: error %v, want %v", how, err, test.err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
			}
		})
	}
}

// A sum that does not fit 32 bits is taken modulo 1<<32.
func TestReaderLargeSum(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 17 MiB")
	}
	body := strings.Repeat("\xff", 17<<20)
	sum := uint32(uint64(len(body)) * 0xff)
	if uint64(len(body))*0xff < 1<<32 {
		t.Fatal("the sum is too small")
	}
	archive := raw{magic: "070702", mode: 0o100644, body: body, check: sum}.String()
	if _, err := readAll(strings.NewReader(archive)); err != nil {
		t.Error(err)
	}
}

func TestReaderHeader(t *testing.T) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	if err := w.WriteHeader(&allFields); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := cpio.NewReader(&b).Next()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&allFields, got); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

// Hard links are records like others: only the last has the body.
func TestReaderHardLink(t *testing.T) {
	archive := raw{mode: 0o100644, nlink: 2, name: "a"}.String() + raw{mode: 0o100644, nlink: 2, name: "b", body: "x"}.String() + trailer
	r := cpio.NewReader(strings.NewReader(archive))
	a, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if a.Ino != b.Ino || a.NLink != 2 || b.NLink != 2 || a.Size != 0 || b.Size != 1 {
		t.Errorf("%+v, %+v", a, b)
	}
}

// What is not read of a body is skipped, and its sum checked.
func TestReaderSkips(t *testing.T) {
	for read := range 7 {
		archive := raw{magic: "070702", mode: 0o100644, name: "a", body: "abcdef", check: 597}.String() + raw{name: "b"}.String() + trailer
		r := cpio.NewReader(strings.NewReader(archive))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, read)); err != nil {
			t.Fatal(err)
		}
		if h, err := r.Next(); err != nil || h.Name != "b" {
			t.Errorf("%d bytes read: %v, %v", read, h, err)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%d bytes read: at the trailer %v", read, err)
		}
		if r.More() {
			t.Error("more after the end")
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}

		r = cpio.NewReader(strings.NewReader(strings.Replace(archive, "00000255", "00000256", 1)))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		io.ReadFull(r, make([]byte, read))
		if _, err := r.Next(); !errors.Is(err, cpio.ErrChecksum) {
			t.Errorf("%d bytes read: %v, want %v", read, err, cpio.ErrChecksum)
		}
	}
}

// Cut off at any byte it is an error, which says where, and stays.
func TestReaderTruncated(t *testing.T) {
	archive := raw{mode: 0o100644, name: "name", body: "hello"}.String() + raw{magic: "070702", name: "dir"}.String() + trailer
	ends := map[int]bool{len(raw{mode: 0o100644, name: "name", body: "hello"}.String()): true}
	ends[len(archive)-len(trailer)] = true
	for n := range len(archive) {
		r := cpio.NewReader(strings.NewReader(archive[:n]))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v, want %v", n, err, io.ErrUnexpectedEOF)
		}
		if got := errors.Is(err, cpio.ErrNoTrailer); got != (ends[n] || n == 0) {
			t.Errorf("%d bytes: %v", n, err)
		}
		var fault *cpio.ReadError
		if !errors.As(err, &fault) || fault.Offset != int64(n) {
			t.Errorf("%d bytes: the error %v is not of byte %[1]d", n, err)
		}
		if _, again := r.Next(); again != err {
			t.Errorf("%d bytes: %v, then %v", n, err, again)
		}
		if _, again := r.Read(make([]byte, 1)); again != err {
			t.Errorf("%d bytes: %v, then Read: %v", n, err, again)
		}
		if !r.More() {
			t.Errorf("%d bytes: no more, but there is an error", n)
		}
	}
}

// An error of the reader below comes back, wherever it strikes.
func TestReaderBelowFails(t *testing.T) {
	broken := errors.New("broken")
	archive := raw{mode: 0o100644, name: "name", body: "hello"}.String() + trailer
	for n := range len(archive) {
		_, err := readAll(io.MultiReader(strings.NewReader(archive[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v, want %v", n, err, broken)
		}
	}
}

// Nothing after a record is read ahead from a bufio.Reader.
func TestReaderLeavesTheRest(t *testing.T) {
	in := bufio.NewReader(strings.NewReader(raw{mode: 0o100644, name: "a", body: "hello"}.String() + "\x00\x00\x00\x00rest"))
	r := cpio.NewReader(in)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if !r.More() {
		t.Error("no more, want the rest")
	}
	if rest, err := io.ReadAll(in); err != nil || string(rest) != "rest" {
		t.Errorf("left %q, %v", rest, err)
	}
}

func FuzzReader(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.cpio")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range seeds {
		seed, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte(raw{magic: "070702", mode: 0o100644, name: "a", body: "ab", check: 'a' + 'b'}.String() + trailer))
	f.Add([]byte(raw{mode: 0o120777, name: "link", body: "target"}.String() + "\x00\x00\x00\x00" + raw{name: "d", nameSize: 80}.String()))
	f.Fuzz(func(t *testing.T, archive []byte) {
		first, err := readAll(bytes.NewReader(archive))
		second, errSecond := readAll(iotest.OneByteReader(bytes.NewReader(archive)))
		if diff := cmp.Diff(first, second); diff != "" || fmt.Sprint(err) != fmt.Sprint(errSecond) {
			t.Fatalf("at once: %v; byte by byte: %v (-at once +byte by byte):\n%s", err, errSecond, diff)
		}
		if err != nil {
			return
		}
		// What was read is read again when it is written.
		var b bytes.Buffer
		w := cpio.NewWriter(&b)
		r := cpio.NewReader(bytes.NewReader(archive))
		var want []cpio.Header
		for r.More() {
			h, err := r.Next()
			if err == io.EOF {
				continue
			}
			if h.Name == "TRAILER!!!" {
				return // of a type that the writer may spell otherwise
			}
			want = append(want, *h)
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(w, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r = cpio.NewReader(&b)
		for i := range want {
			h, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			h.Checksum = want[i].Checksum // written only where the archive has checksums
			h.Skipped = want[i].Skipped   // the writer gives each name a size that the kernel accepts
			if *h != want[i] {
				t.Fatalf("written and read: %+v, want %+v", *h, want[i])
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("at the end: %v", err)
		}
	})
}
