package uimage

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// data is Content in memory.
type data string

func (d data) Size() int64 { return int64(len(d)) }

func (d data) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(d))
	return int64(n), err
}

// TestMkimage compares with mkimage, byte for byte.
func TestMkimage(t *testing.T) {
	mkimage, err := exec.LookPath("mkimage")
	if err != nil {
		t.Skip("mkimage is not on PATH: install u-boot-tools")
	}
	dir := t.TempDir()
	for _, kind := range Types() {
		for _, name := range arch.Names() {
			for _, compression := range Compressions() {
				a, err := arch.Find(name)
				if err != nil {
					t.Fatal(err)
				}
				h := &Header{Type: kind, Arch: a, Compression: compression, Name: "a name", Load: 0x80200000, Entry: 0x80201000, Timestamp: 7}
				var got bytes.Buffer
				if err := h.Write(&got, data("setenv a b\n")); err != nil {
					t.Fatal(err)
				}
				in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
				if err := os.WriteFile(in, []byte("setenv a b\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(mkimage, "-A", a.UBoot, "-O", "linux", "-T", kind, "-C", compression, "-a", "80200000", "-e", "80201000", "-n", "a name", "-d", in, out)
				cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=7")
				if text, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v: %s", cmd, err, text)
				}
				if want, err := os.ReadFile(out); err != nil || !bytes.Equal(got.Bytes(), want) {
					t.Errorf("%s, %s, %s: %x, mkimage makes %x: %v", kind, name, compression, got.Bytes(), want, err)
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	a, err := arch.Find("arm64")
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*Header{
		"type":         {Arch: a},
		"compression":  {Arch: a, Type: "kernel", Compression: "xz"},
		"architecture": {Type: "kernel"},
		"name":         {Arch: a, Type: "kernel", Name: strings.Repeat("a", MaxName+1)},
	} {
		var b bytes.Buffer
		if err := h.Write(&b, data("")); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v after %d bytes", name, err, b.Len())
		}
	}
}
