package linked

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// archive returns an archive with a file.
func archive(t testing.TB, name, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := cpio.NewWriter(&out)
	if err := w.WriteHeader(&cpio.Header{Name: name, Mode: 0o100644, NLink: 1, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func compressed(t testing.TB, name string, data []byte) []byte {
	t.Helper()
	method, err := codec.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := method.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// raw returns an Image for arm64 with an initramfs image that begins at a position, or a multiple of 4
// after it.
func raw(initramfs []byte, at int) []byte {
	data := make([]byte, max(at, 0x40))
	copy(data[0x38:], "ARM\x64")
	for i := 0x40; i < len(data); i++ {
		data[i] = byte(i * 7)
	}
	data = append(data, make([]byte, -len(data)&3)...)
	data = append(data, initramfs...)
	data = append(data, make([]byte, -len(data)&7)...)
	data = binary.LittleEndian.AppendUint64(data, uint64(len(initramfs)))
	return append(data, "the rest of the kernel, of any size"...)
}

// open returns the image in a kernel.
func open(t testing.TB, kernel []byte) ([]byte, error) {
	t.Helper()
	i, err := Open(t.Context(), bytes.NewReader(kernel), int64(len(kernel)))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(i)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	return data, nil
}

func check(t *testing.T, what string, kernel, want []byte) {
	t.Helper()
	if got, err := open(t, kernel); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v, want %d", what, len(got), err, len(want))
	}
}

func TestImage(t *testing.T) {
	plain := archive(t, "init", strings.Repeat("text ", 1000))
	for _, c := range codec.All() {
		check(t, c.Name, raw(compressed(t, c.Name, plain), 1000), compressed(t, c.Name, plain))
	}
	for at := range 16 {
		check(t, "position", raw(plain, chunk-8+at), plain)
		cut := compressed(t, "gzip", archive(t, "init", strings.Repeat("a", at)))
		check(t, "size", raw(cut, 0x40), cut)
	}
	// A kernel in the image has an image too.
	nested := archive(t, "kernel", string(raw(plain, 0x40)))
	check(t, "nested", raw(nested, 5000), nested)
	decoy := append([]byte("070701 is a magic number"), 24, 0, 0, 0, 0, 0, 0, 0)
	check(t, "decoy", append(raw(plain, 0x40), decoy...), plain)
}

// bzImage returns a kernel with a compressed part.
func bzImage(payload []byte) []byte {
	head := make([]byte, 3*sector)
	head[setupSectorsAt] = 1
	copy(head[0x1fe:], "\x55\xaa")
	copy(head[0x202:], "HdrS\x0f\x02")
	binary.LittleEndian.PutUint32(head[payloadOffsetAt:], sector)
	binary.LittleEndian.PutUint32(head[payloadLengthAt:], uint32(len(payload)))
	return append(append(head, payload...), "code"...)
}

// zboot returns an EFI zboot image.
func zboot(payload []byte) []byte {
	head := make([]byte, 0x80)
	copy(head, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(head[zbootOffsetAt:], uint32(len(head)))
	binary.LittleEndian.PutUint32(head[zbootLengthAt:], uint32(len(payload)))
	return append(append(head, payload...), "code"...)
}

// source is what usr/initramfs_data.S and vmlinux.lds.h make.
const source = `
	.section .text, "ax"
	.globl _start
_start:	.long 0
	.section .init.data, "aw"
	.ascii "070701, which the kernel compares with"
	.balign 4
	.globl __initramfs_start
__initramfs_start:
	.incbin "initramfs"
end:
	.balign 8
	.globl __initramfs_size
__initramfs_size:
	.quad end - __initramfs_start
	.fill 100, 1, 7
`

// run runs a program in a directory. Its input and output may be nil.
func run(t *testing.T, dir string, input []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skipf("needs %s", args[0])
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(input)
	var message strings.Builder
	cmd.Stderr = &message
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", args, err, message.String())
	}
	return output
}

// link links a kernel with an image by the compiler, and returns it with and without symbols.
func link(t *testing.T, initramfs []byte) (vmlinux, stripped []byte) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{"initramfs": initramfs, "kernel.S": []byte(source)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, nil, "gcc", "-nostdlib", "-static", "-Wl,-N,--build-id=none", "-o", "vmlinux", "kernel.S")
	// OBJCOPYFLAGS_vmlinux.bin in arch/x86/boot/compressed/Makefile.
	run(t, dir, nil, "objcopy", "-R", ".comment", "-S", "vmlinux", "stripped")
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	return read("vmlinux"), read("stripped")
}

func TestELF(t *testing.T) {
	plain := archive(t, "init", strings.Repeat("text ", 1000))
	for _, name := range []string{"none", "zstd", "lz4"} {
		want := compressed(t, name, plain)
		vmlinux, stripped := link(t, want)
		check(t, name, vmlinux, want)
		check(t, name+", stripped", stripped, want)
	}
	// By the symbols, it may have any content. The linker adds no size for nothing.
	vmlinux, stripped := link(t, []byte("anything"))
	check(t, "anything", vmlinux, []byte("anything"))
	if _, err := open(t, stripped); !errors.Is(err, ErrNone) {
		t.Errorf("%v, want %v", err, ErrNone)
	}
	vmlinux, _ = link(t, nil)
	if _, err := open(t, vmlinux); !errors.Is(err, ErrNone) {
		t.Errorf("%v, want %v", err, ErrNone)
	}
}

// Kernels are compressed by the programs of scripts/Makefile.lib.
func TestPrograms(t *testing.T) {
	want := compressed(t, "zstd", archive(t, "init", strings.Repeat("text ", 1000)))
	image := raw(want, 70000)
	for name, command := range map[string][]string{
		"gzip":  {"gzip", "-n", "-f", "-9"},
		"bzip2": {"bzip2", "-9"},
		"lzma":  {"xz", "--format=lzma", "-9"},
		"xz":    {"xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB"},
		"arm64": {"xz", "--check=crc32", "--arm64", "--lzma2=dict=128MiB"},
		"lzo":   {"lzop", "-9"},
		"lz4":   {"lz4", "-l", "-9", "-", "-"},
		"zstd":  {"zstd", "-22", "--ultra"},
	} {
		t.Run(name, func(t *testing.T) {
			packed := run(t, ".", image, command...)
			check(t, "Image", packed, want)
			sized := binary.LittleEndian.AppendUint32(packed, uint32(len(image)))
			check(t, "bzImage", bzImage(sized), want)
			if name == "gzip" || name == "zstd" { // the others are before 6.17 only
				check(t, "zboot", zboot(packed), want)
			}
		})
	}
	t.Run("ELF", func(t *testing.T) {
		_, stripped := link(t, want)
		check(t, "bzImage", bzImage(run(t, ".", stripped, "gzip", "-9")), want)
	})
}

func TestErrors(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	z.Write(archive(t, "init", ""))
	z.Close()
	none := raw(nil, 5000)
	old := bzImage(none)
	old[versionAt] = 7
	outside := bzImage(none)
	outside[payloadOffsetAt+3] = 1
	for name, test := range map[string]struct {
		kernel []byte
		want   error
	}{
		"empty":                {nil, ErrNotKernel},
		"archive":              {archive(t, "init", ""), ErrNotKernel},
		"compressed archive":   {small.Bytes(), ErrNotKernel},
		"damaged gzip":         {small.Bytes()[:20], ErrNotKernel},
		"none":                 {none, ErrNone},
		"none in a bzImage":    {bzImage(compressed(t, "zstd", none)), ErrNone},
		"none in gzip":         {compressed(t, "gzip", none), ErrNone},
		"payload outside":      {outside, ErrDamaged},
		"payload cut":          {bzImage(compressed(t, "gzip", none)[:100]), io.ErrUnexpectedEOF},
		"payload uncompressed": {bzImage(none), codec.ErrNotCompressed},
		"old bzImage":          {old, nil},
		"short zboot":          {[]byte("MZ\x00\x00zimg"), ErrDamaged},
		"ELF alone":            {[]byte("\x7fELF"), ErrDamaged},
	} {
		_, err := open(t, test.kernel)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	left, err := filepath.Glob(filepath.Join(temporary, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func FuzzOpen(f *testing.F) {
	plain := archive(f, "init", "text")
	image := raw(plain, 0x40)
	f.Add(image)
	f.Add(bzImage(compressed(f, "gzip", image)))
	f.Add(zboot(compressed(f, "zstd", image)))
	f.Add(compressed(f, "lz4", image))
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if i.Size() == 0 {
			t.Error("an empty image")
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
}
