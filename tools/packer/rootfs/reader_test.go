package rootfs_test

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

	"github.com/rules-initramfs/rules_initramfs/tools/packer/compress"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/newc"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

// record is one of an archive.
type record struct {
	newc.Header
	body string
}

// The records of a test have these permissions and numbers unless it says more.
func file(name, body string) record {
	return record{newc.Header{Name: name, Mode: 0o100644, NLink: 1}, body}
}
func dir(name string) record { return record{newc.Header{Name: name, Mode: 0o040755, NLink: 2}, ""} }
func slink(name, target string) record {
	return record{newc.Header{Name: name, Mode: 0o120777, NLink: 1}, target + "\x00"}
}
func pipe(name string) record { return record{newc.Header{Name: name, Mode: 0o010600, NLink: 2}, ""} }

// name is a name of a file that has several: those with the same ino.
func name(ino uint32, name, body string) record {
	return record{newc.Header{Name: name, Mode: 0o100644, NLink: 2, Ino: ino}, body}
}

var trailer = record{newc.Header{Name: "TRAILER!!!", NLink: 1}, ""}

// archive returns the records as an archive with no trailer but those given.
func archive(records ...record) string {
	var b strings.Builder
	for _, r := range records {
		h := r.Header
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", h.Ino, h.Mode, h.UID, h.GID, h.NLink,
			h.MTime, len(r.body), h.Major, h.Minor, h.RMajor, h.RMinor, len(h.Name)+1, 0, h.Name)
		b.WriteString(nuls(-b.Len() & 3))
		b.WriteString(r.body)
		b.WriteString(nuls(-b.Len() & 3))
	}
	return b.String()
}

func nuls(n int) string { return strings.Repeat("\x00", n) }

// compressed returns content in a codec.
func compressed(t testing.TB, codec, content string) string {
	t.Helper()
	method, err := compress.Parse(codec)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := method.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// read reads an image to its end: a line an entry.
func read(image io.Reader) ([]string, *rootfs.Reader, error) {
	var lines []string
	r := rootfs.NewReader(image)
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
	early := archive(dir("kernel"), file("kernel/x", "microcode"), trailer)
	image := early + nuls(512-len(early))
	a := archive(file("a", "hello"), slink("l", "a"), trailer)
	gz := compressed(t, "gzip", a)
	b := archive(file("b", "world")) + nuls(8) + archive(file("c", "!"), trailer) + nuls(4)
	zst := compressed(t, "zstd", b)
	image += gz + zst + "\x00"
	at := len(image)
	image += nuls(-at & 3)
	last := archive(dir("d"))
	lastAt := len(image)
	image += last

	lines, r, err := read(strings.NewReader(image))
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
	wantMembers := []rootfs.Member{
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
	if got := r.Offset(); got != int64(len(image)) {
		t.Errorf("offset %d at the end of %d bytes", got, len(image))
	}
}

// What init/initramfs.c refuses, and what it takes next to it.
func TestReaderGrammar(t *testing.T) {
	a, b := archive(file("a", "hello"), trailer), archive(file("b", ""), trailer)
	gz := func(content string) string { return compressed(t, "gzip", content) }
	tests := []struct {
		name, image string
		want        error
		text        string
	}{
		{"nothing", "", nil, ""},
		{"NULs", nuls(5), nil, ""},
		{"NULs in front", nuls(8) + a, nil, ""},
		{"not at a multiple of 4", nuls(2) + a, rootfs.ErrJunk, "byte 2: no magic of an archive or of a codec: an uncompressed archive must begin at a multiple of 4"},
		{"junk", "junk", rootfs.ErrJunk, "byte 0: no magic of an archive or of a codec"},
		{"one byte of junk", "j", rootfs.ErrJunk, "byte 0: no magic of an archive or of a codec"},
		{"junk behind an archive", a + "junk", rootfs.ErrJunk, fmt.Sprintf("byte %d: no magic of an archive or of a codec", len(a))},
		{"junk behind a compressed one", gz(a) + "junk", rootfs.ErrJunk, ""},
		{"two archives", a + b, nil, ""},
		{"compressed behind an archive", a + nuls(4) + gz(b), nil, ""},
		{"compressed behind an archive, not at a multiple of 4", a + nuls(3) + gz(b), newc.ErrHeader, ""},
		{"compressed anywhere", nuls(3) + gz(a) + nuls(1) + gz(b), nil, ""},
		{"two in one member", gz(a + nuls(4) + b), nil, ""},
		{"two in one member, not at a multiple of 4", gz(a + nuls(3) + b), newc.ErrHeader, ""},
		{"a member in a member", gz(a + gz(b)), newc.ErrHeader, ""},
		{"junk in a member", gz(a + "junk"), newc.ErrHeader, fmt.Sprintf(`byte %d of what unpacks from member 1 (gzip, at byte 0): newc: invalid header: no cpio magic: "junk"`, len(a))},
		{"a member that ends inside of a record", gz(a[:len(a)-4]), rootfs.ErrCut, ""},
		{"a member that ends before padding", gz(archive(file("a", "hello"))[:110+2+5]), rootfs.ErrCut, ""},
		{"a record over two members", gz(a[:60]) + gz(a[60:]), rootfs.ErrCut, ""},
		{"an empty member first", gz(""), rootfs.ErrCut, ""},
		{"an empty member later", a + gz(""), nil, ""},
		{"a member of NULs first", gz(nuls(4)), newc.ErrHeader, ""},
		{"a member of NULs later", gz(a) + gz(nuls(4)), nil, ""},
		{"a member that begins with NULs first", gz(nuls(4) + a), newc.ErrHeader, ""},
		{"a member that begins with NULs later", gz(b) + gz(nuls(4)+a), nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, r, err := read(strings.NewReader(test.image))
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
	front := archive(file("a", "hello"))
	raw := front + archive(trailer) + nuls(8)
	gz := compressed(t, "gzip", archive(file("b", "hello"), trailer))
	image := raw + gz + compressed(t, "zstd", archive(file("c", "hello"), trailer))
	for n := range image {
		_, r, err := read(strings.NewReader(image[:n]))
		whole := n == 0 || n == len(front) || n >= len(raw)-8 && n <= len(raw) || n == len(raw)+len(gz)
		if whole != (err == nil) {
			t.Errorf("%d of %d bytes: %v", n, len(image), err)
		}
		if err == nil && r.Trailer() != (n > len(front)) {
			t.Errorf("%d bytes: trailer %v", n, r.Trailer())
		}
	}
}

func TestReaderCodecs(t *testing.T) {
	a := archive(dir("a"), file("a/b", strings.Repeat("content ", 10000)), trailer)
	for _, codec := range compress.Names() {
		_, r, err := read(strings.NewReader(compressed(t, codec, a)))
		if err != nil {
			t.Errorf("%s: %v", codec, err)
			continue
		}
		if m := r.Members(); len(m) != 1 || m[0].Codec != codec || m[0].Entries != 2 || m[0].Unpacked != int64(len(a)) {
			t.Errorf("%s: members %+v", codec, m)
		}
	}
}

// A target as long as the kernel takes, and one byte more.
func TestReaderTargets(t *testing.T) {
	for _, n := range []int{rootfs.MaxTarget - 1, rootfs.MaxTarget} {
		target := strings.Repeat("t", n)
		r := rootfs.NewReader(strings.NewReader(archive(slink("l", target), file("a", ""), trailer)))
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Size > rootfs.MaxTarget {
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

// A boot configuration behind an image is not unpacked.
func TestOpenBootconfig(t *testing.T) {
	image := archive(file("a", "hello"), trailer)
	image += nuls(-len(image) & 511)
	data := "kernel.x = 1\n" + nuls(3)
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
		{"padded", footer(len(data), sum) + nuls(3), len(data) + 23},
		{"padded too far", footer(len(data), sum) + nuls(4), -1},
		{"wrong sum", footer(len(data), sum+1), -1},
		{"too large", footer(1<<15, sum), -1},
		{"larger than the image", footer(1<<14, sum), -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(name, []byte(image+test.tail), 0o666); err != nil {
				t.Fatal(err)
			}
			r, err := rootfs.Open(t.Context(), name)
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
	if err := os.WriteFile(name, []byte(archive(trailer)), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := rootfs.Open(ctx, name)
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
		image, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines, r, err := read(bytes.NewReader(image))
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
	a := archive(dir("d"), file("d/a", "hello"), slink("l", "d"), name(1, "x", ""), name(1, "y", "1"), trailer)
	for _, codec := range compress.Names() {
		f.Add([]byte(archive(file("early", "")) + nuls(4) + compressed(f, codec, a) + nuls(4) + compressed(f, "gzip", a)))
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		first, _, err := read(bytes.NewReader(image))
		if err != nil {
			if fault, ok := errors.AsType[*rootfs.Error](err); !ok || fault.Offset > int64(len(image)) {
				t.Fatalf("error %v of an image of %d bytes", err, len(image))
			}
			return
		}
		model, err := rootfs.ReadModel(rootfs.NewReader(bytes.NewReader(image)), true, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(model.Files) > len(first)+1 {
			t.Fatalf("%d files of %d entries", len(model.Files), len(first))
		}
	})
}
