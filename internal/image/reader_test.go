package image_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio/cpiotest"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// read reads an image to its end: a line an entry.
func read(img io.Reader) ([]string, *image.Reader, error) {
	var lines []string
	r := image.NewReader(img)
	defer r.Close()
	for {
		e, err := r.Next()
		if err == io.EOF {
			return lines, r, nil
		}
		if err != nil {
			return lines, r, err
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return lines, r, err
		}
		if e.Index != len(lines) {
			return lines, r, fmt.Errorf("index %d of entry %d", e.Index, len(lines))
		}
		lines = append(lines, fmt.Sprintf("%d.%d %s %q%s", e.Member, e.Trailers, e.Name, body, e.Target))
	}
}

func TestReader(t *testing.T) {
	early := cpiotest.Archive(cpiotest.Dir("kernel"), cpiotest.File("kernel/x", "microcode"), cpiotest.Trailer)
	img := early + cpiotest.NULs(512-len(early))
	a := cpiotest.Archive(cpiotest.File("a", "hello"), cpiotest.Symlink("l", "a"), cpiotest.Trailer)
	gz := cpiotest.Compressed(t, "gzip", a)
	b := cpiotest.Archive(cpiotest.File("b", "world")) + cpiotest.NULs(8) + cpiotest.Archive(cpiotest.File("c", "!"), cpiotest.Trailer) + cpiotest.NULs(4)
	zst := cpiotest.Compressed(t, "zstd", b)
	img += gz + zst + "\x00"
	at := len(img)
	img += cpiotest.NULs(-at & 3)
	last := cpiotest.Archive(cpiotest.Dir("d"))
	lastAt := len(img)
	img += last

	lines, r, err := read(strings.NewReader(img))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`0.0 kernel ""`, `0.0 kernel/x "microcode"`,
		`1.1 a "hello"`, `1.1 l ""a`,
		`2.2 b "world"`, `2.2 c "!"`,
		`3.3 d ""`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	wantMembers := []image.Member{
		{Offset: 0, Codec: "none", Stored: 512, Unpacked: 512, Entries: 2},
		{Offset: 512, Codec: "gzip", Stored: int64(len(gz)), Unpacked: int64(len(a)), Entries: 2},
		{Offset: int64(512 + len(gz)), Codec: "zstd", Stored: int64(len(zst)), Unpacked: int64(len(b)), Entries: 2},
		{Offset: int64(lastAt), Codec: "none", Stored: int64(len(last)), Unpacked: int64(len(last)), Entries: 1},
	}
	if diff := cmp.Diff(wantMembers, r.Members()); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if r.Trailer() {
		t.Error("there is a trailer at the end")
	}
	if got := r.Offset(); got != int64(len(img)) {
		t.Errorf("offset %d at the end of %d bytes", got, len(img))
	}
}

// What init/initramfs.c refuses, and what it takes next to it.
func TestReaderGrammar(t *testing.T) {
	a, b := cpiotest.Archive(cpiotest.File("a", "hello"), cpiotest.Trailer), cpiotest.Archive(cpiotest.File("b", ""), cpiotest.Trailer)
	gz := func(content string) string { return cpiotest.Compressed(t, "gzip", content) }
	tests := []struct {
		name, img string
		want      error
		text      string
	}{
		{"nothing", "", nil, ""},
		{"NULs", cpiotest.NULs(5), nil, ""},
		{"NULs in front", cpiotest.NULs(8) + a, nil, ""},
		{"not at a multiple of 4", cpiotest.NULs(2) + a, image.ErrJunk, "byte 2: no magic of an archive or of a codec: an uncompressed archive must begin at a multiple of 4"},
		{"junk", "junk", image.ErrJunk, "byte 0: no magic of an archive or of a codec"},
		{"uImage", "\x27\x05\x19\x56" + cpiotest.NULs(60) + a, image.ErrJunk, "byte 0: no magic of an archive or of a codec, but a U-Boot image (uImage): remove its header of 64 bytes: tail -c +65"},
		{"an ELF program after an archive", a + "\x7fELF", image.ErrJunk, fmt.Sprintf("byte %d: no magic of an archive or of a codec, but an ELF program or library: name it in a list: file /PATH LOCATION 0755 0 0", len(a))},
		{"one byte of junk", "j", image.ErrJunk, "byte 0: no magic of an archive or of a codec"},
		{"junk after an archive", a + "junk", image.ErrJunk, fmt.Sprintf("byte %d: no magic of an archive or of a codec", len(a))},
		{"junk after a compressed one", gz(a) + "junk", image.ErrJunk, ""},
		{"two archives", a + b, nil, ""},
		{"compressed after an archive", a + cpiotest.NULs(4) + gz(b), nil, ""},
		{"compressed after an archive, not at a multiple of 4", a + cpiotest.NULs(3) + gz(b), cpio.ErrHeader, ""},
		{"compressed anywhere", cpiotest.NULs(3) + gz(a) + cpiotest.NULs(1) + gz(b), nil, ""},
		{"two in one member", gz(a + cpiotest.NULs(4) + b), nil, ""},
		{"two in one member, not at a multiple of 4", gz(a + cpiotest.NULs(3) + b), cpio.ErrHeader, ""},
		{"a member in a member", gz(a + gz(b)), cpio.ErrHeader, ""},
		{"junk in a member", gz(a + "junk"), cpio.ErrHeader, fmt.Sprintf(`byte %d of what unpacks from member 1 (gzip, at byte 0): cpio: invalid header: no cpio magic: "junk"`, len(a))},
		{"a member that ends inside of a record", gz(a[:len(a)-4]), image.ErrCut, ""},
		{"a member that ends before padding", gz(cpiotest.Archive(cpiotest.File("a", "hello"))[:110+2+5]), image.ErrCut, ""},
		{"a record over two members", gz(a[:60]) + gz(a[60:]), image.ErrCut, ""},
		{"an empty member first", gz(""), image.ErrCut, ""},
		{"an empty member later", a + gz(""), nil, ""},
		{"a member of NULs first", gz(cpiotest.NULs(4)), cpio.ErrHeader, ""},
		{"a member of NULs later", gz(a) + gz(cpiotest.NULs(4)), nil, ""},
		{"a member that begins with NULs first", gz(cpiotest.NULs(4) + a), cpio.ErrHeader, ""},
		{"a member that begins with NULs later", gz(b) + gz(cpiotest.NULs(4)+a), nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, r, err := read(strings.NewReader(test.img))
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if test.text != "" && err.Error() != test.text {
				t.Errorf("error %q, want %q", err, test.text)
			}
			if _, again := r.Next(); err != nil && again == nil {
				t.Errorf("%v, then nothing", err)
			}
		})
	}
}

// Cut off at any byte, an image is an error but between two members, or between
// two records of an uncompressed one.
func TestReaderTruncated(t *testing.T) {
	front := cpiotest.Archive(cpiotest.File("a", "hello"))
	raw := front + cpiotest.Archive(cpiotest.Trailer) + cpiotest.NULs(8)
	gz := cpiotest.Compressed(t, "gzip", cpiotest.Archive(cpiotest.File("b", "hello"), cpiotest.Trailer))
	img := raw + gz + cpiotest.Compressed(t, "zstd", cpiotest.Archive(cpiotest.File("c", "hello"), cpiotest.Trailer))
	for n := range img {
		_, r, err := read(strings.NewReader(img[:n]))
		whole := n == 0 || n == len(front) || n >= len(raw)-8 && n <= len(raw) || n == len(raw)+len(gz)
		if whole != (err == nil) {
			t.Errorf("%d of %d bytes: %v", n, len(img), err)
		}
		if err == nil && r.Trailer() != (n > len(front)) {
			t.Errorf("%d bytes: cpiotest.Trailer %v", n, r.Trailer())
		}
	}
}

func TestReaderCodecs(t *testing.T) {
	a := cpiotest.Archive(cpiotest.Dir("a"), cpiotest.File("a/b", strings.Repeat("content ", 10000)), cpiotest.Trailer)
	for _, codecName := range codec.Names() {
		_, r, err := read(strings.NewReader(cpiotest.Compressed(t, codecName, a)))
		if err != nil {
			t.Errorf("%s: %v", codecName, err)
			continue
		}
		if m := r.Members(); len(m) != 1 || m[0].Codec != codecName || m[0].Entries != 2 || m[0].Unpacked != int64(len(a)) {
			t.Errorf("%s: members %+v", codecName, m)
		}
	}
}

// A target as long as the kernel takes, and one byte more.
func TestReaderTargets(t *testing.T) {
	for _, n := range []int{image.MaxTarget - 1, image.MaxTarget} {
		target := strings.Repeat("t", n)
		r := image.NewReader(strings.NewReader(cpiotest.Archive(cpiotest.Symlink("l", target), cpiotest.File("a", ""), cpiotest.Trailer)))
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Size > image.MaxTarget {
			target = ""
		}
		if e.Target != target {
			t.Errorf("a target of %d bytes is read with %d", n, len(e.Target))
		}
		if e, err := r.Next(); err != nil || e.Name != "a" {
			t.Errorf("then %v, %v", e, err)
		}
	}
}

// A boot configuration after an image is not unpacked.
func TestOpenBootconfig(t *testing.T) {
	img := cpiotest.Archive(cpiotest.File("a", "hello"), cpiotest.Trailer)
	img += cpiotest.NULs(-len(img) & 511)
	data := "kernel.x = 1\n" + cpiotest.NULs(3)
	footer := func(size, sum int) string {
		b := binary.LittleEndian.AppendUint32([]byte(data), uint32(size))
		b = binary.LittleEndian.AppendUint32(b, uint32(sum))
		return string(b) + "#BOOTCONFIG\n"
	}
	sum := 0
	for _, b := range []byte(data) {
		sum += int(b)
	}
	tests := []struct {
		name, tail string
		want       int
	}{
		{"none", "", 0},
		{"right", footer(len(data), sum), len(data) + 20},
		{"padded", footer(len(data), sum) + cpiotest.NULs(3), len(data) + 23},
		{"padded too far", footer(len(data), sum) + cpiotest.NULs(4), -1},
		{"wrong sum", footer(len(data), sum+1), -1},
		{"too large", footer(1<<15, sum), -1},
		{"larger than the image", footer(1<<14, sum), -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(name, []byte(img+test.tail), 0o666); err != nil {
				t.Fatal(err)
			}
			r, err := image.Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if want := int64(max(0, test.want)); r.Bootconfig != want {
				t.Errorf("a boot configuration of %d bytes, want %d", r.Bootconfig, want)
			}
			for err == nil {
				_, err = r.Next()
			}
			if (err == io.EOF) != (test.want >= 0) {
				t.Errorf("read to %v", err)
			}
		})
	}
}

func TestOpenCanceled(t *testing.T) {
	name := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(name, []byte(cpiotest.Archive(cpiotest.Trailer)), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := image.Open(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}

// Archives of GNU cpio are read.
func TestReaderGNU(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("no GNU cpio to write an archive: ", err)
	}
	tree := t.TempDir()
	big := strings.Repeat("0123456789abcdef", 10000)
	for name, content := range map[string]string{"a": "hello", "big": big, "empty": ""} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(tree, "dir"), 0o755), os.Link(filepath.Join(tree, "a"), filepath.Join(tree, "dir/a")),
		os.Symlink("dir/a", filepath.Join(tree, "l"))); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"newc", "crc"} {
		cmd := exec.Command("cpio", "--quiet", "-o", "-H", format)
		cmd.Dir = tree
		cmd.Stdin = strings.NewReader("a\nbig\nempty\ndir\ndir/a\nl\n")
		img, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines, r, err := read(bytes.NewReader(img))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		want := []string{fmt.Sprintf("0.0 big %q", big), `0.0 empty ""`, `0.0 dir ""`, `0.0 a ""`, `0.0 dir/a "hello"`, `0.0 l ""dir/a`}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
		if !r.Trailer() {
			t.Errorf("%s: no trailer", format)
		}
	}
}

func FuzzReader(f *testing.F) {
	a := cpiotest.Archive(cpiotest.Dir("d"), cpiotest.File("d/a", "hello"), cpiotest.Symlink("l", "d"), cpiotest.Link(1, "x", ""), cpiotest.Link(1, "y", "1"), cpiotest.Trailer)
	for _, codecName := range codec.Names() {
		f.Add([]byte(cpiotest.Archive(cpiotest.File("early", "")) + cpiotest.NULs(4) + cpiotest.Compressed(f, codecName, a) + cpiotest.NULs(4) + cpiotest.Compressed(f, "gzip", a)))
	}
	f.Fuzz(func(t *testing.T, img []byte) {
		first, _, err := read(bytes.NewReader(img))
		if err != nil {
			if fault, ok := errors.AsType[*image.Error](err); !ok || fault.Offset > int64(len(img)) {
				t.Fatalf("error %v of an image of %d bytes", err, len(img))
			}
			return
		}
		model, err := kernel.ReadModel(image.NewReader(bytes.NewReader(img)), true, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(model.Files) > len(first)+1 {
			t.Fatalf("%d files of %d entries", len(model.Files), len(first))
		}
	})
}

// An image in several files is read as a boot loader loads them: each at a multiple of 4,
// with a boot configuration at the end of the last one that is not empty.
func TestOpenParts(t *testing.T) {
	first := cpiotest.Archive(cpiotest.File("a", "1"), cpiotest.Trailer)
	second := cpiotest.Compressed(t, "gzip", cpiotest.Archive(cpiotest.File("b", "2")))
	third := cpiotest.Archive(cpiotest.File("c", "3"), cpiotest.Trailer)
	var img strings.Builder
	j := image.NewJoiner(&img)
	io.WriteString(j, third)
	if err := j.WriteBootconfig([]byte("a=1\n")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var names []string
	var size int64
	for n, content := range []string{first, second, "", img.String(), ""} {
		name := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		if content != "" {
			size += -size&3 + int64(len(content))
		}
	}
	r, err := image.Open(t.Context(), names...)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if want := int64(img.Len() - len(third)); r.Bootconfig != want || r.Size != size {
		t.Errorf("%d bytes with a boot configuration of %d, want %d and %d", r.Size, r.Bootconfig, size, want)
	}
	var got []string
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}

	// A file that becomes shorter while it is read.
	short, err := image.Open(t.Context(), names[:2]...)
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	if err := os.Truncate(names[0], 4); err != nil {
		t.Fatal(err)
	}
	if _, err := short.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a shorter file: %v", err)
	}
	if _, err := image.Open(t.Context(), names[0], "-"); err == nil {
		t.Error("standard input is one of several files")
	}
}

// A boot configuration that was written is found again.
func TestBootconfig(t *testing.T) {
	for size := range 5 {
		for _, data := range []string{"a=1\n", "kernel.x = 1", strings.Repeat("x", image.MaxBootconfig-4)} {
			var img strings.Builder
			j := image.NewJoiner(&img)
			io.WriteString(j, strings.Repeat("i", size))
			if err := j.WriteBootconfig([]byte(data)); err != nil {
				t.Fatal(err)
			}
			got, cut, err := image.FindBootconfig(strings.NewReader(img.String()), int64(img.Len()))
			if err != nil || string(got) != data || cut != int64(img.Len()-size) || img.Len()%4 != 0 {
				t.Errorf("after %d bytes: %q, %d of %d bytes, %v", size, got, cut, img.Len(), err)
			}
			damaged := strings.Replace(img.String(), data[:1], "?", 1)
			if got, cut, err := image.FindBootconfig(strings.NewReader(damaged), int64(len(damaged))); err != image.ErrBootconfig || got != nil || cut != 0 {
				t.Errorf("damaged, after %d bytes: %q, %d bytes, %v", size, got, cut, err)
			}
		}
	}
	if err := image.NewJoiner(io.Discard).WriteBootconfig(make([]byte, image.MaxBootconfig)); err == nil {
		t.Error("one that is too large is written")
	}
}
