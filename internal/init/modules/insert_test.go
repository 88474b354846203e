package modules

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// TestDecompress reads what the programs write that kernels' builds call
// (scripts/Makefile.modinst of the kernel).
func TestDecompress(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	noise := make([]byte, 1<<18)
	random.Read(noise)
	contents := map[string][]byte{
		"empty": nil,
		"small": []byte("\x7fELF"),
		"large": append(bytes.Repeat([]byte("a module has code in it. "), 1<<15), noise...),
	}
	for _, test := range []struct{ name, command string }{
		{"gzip", "gzip -n -f"},
		{"xz", "xz --check=crc32 --lzma2=dict=1MiB -f"},
		{"xz", "xz --check=crc64 --x86 --lzma2=preset=6"},
		{"xz", "xz --check=sha256"},
		{"zstd", "zstd -f -q"},
		{"zstd", "zstd -19 -q --no-check"},
	} {
		t.Run(test.command, func(t *testing.T) {
			words := strings.Fields(test.command)
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Skipf("%v: install %s", err, words[0])
			}
			for name, want := range contents {
				cmd := exec.Command(words[0], append(words[1:], "-c")...)
				cmd.Stdin = bytes.NewReader(want)
				packed, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				c := detect(packed)
				if c == nil || c.name != test.name {
					t.Fatalf("detected %v, want %s", c, test.name)
				}
				got, err := c.decompress(bytes.NewReader(packed))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, error %v, want %d", name, len(got), err, len(want))
				}
				if _, err := c.decompress(bytes.NewReader(packed[:len(packed)-1])); err == nil {
					t.Errorf("%s: no error without the last byte", name)
				}
			}
		})
	}
	if c := detect([]byte("\x7fELF\x02\x01")); c != nil {
		t.Errorf("a module that is not compressed is %s", c.name)
	}
}

// FuzzDecompress checks that damaged files end with an error or with content.
func FuzzDecompress(f *testing.F) {
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\xfd7zXZ\x00\x00\x01\x69\x22\xde\x36\x00\x00\x00\x00\x1c\xdf\x44\x21\x90\x42\x99\x0d\x01\x00\x00\x00\x00\x01YZ"))
	f.Add([]byte("\x28\xb5\x2f\xfd\x24\x04\x21\x00\x00\x7fELF\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		c := detect(packed)
		if c == nil {
			return
		}
		content, err := c.open(bytes.NewReader(packed))
		if err == nil {
			io.Copy(io.Discard, io.LimitReader(content, 1<<20))
		}
	})
}
