package codec_test

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
)

// machineCode returns bytes that a filter finds many instructions in, some of them cut off
// or one within another: among random bytes are those that the filters look for.
func machineCode(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	opcodes := [][]byte{
		// x86
		{0xe8}, {0xe9}, {0xe8, 0xe8}, {0x00}, {0xff}, {0xff, 0xff},
		// PowerPC
		{0x48, 0, 0, 0x01}, {0x4b, 0xff, 0xff, 0xfd},
		// IA-64
		{0x10, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0x50},
		// Arm
		{0xff, 0xff, 0xff, 0xeb},
		// Thumb
		{0x00, 0xf0, 0x10, 0xf8}, {0xff, 0xf7, 0xff, 0xff},
		// SPARC
		{0x40, 0, 0x01, 0x02}, {0x7f, 0xff, 0xff, 0xf0},
		// Arm64
		{0x01, 0, 0, 0x94}, {0x01, 0, 0, 0x90}, {0xff, 0xff, 0xff, 0xb0},
		// RISC-V
		{0xef, 0xf0, 0xdf, 0xff}, {0x17, 0x05, 0x01, 0x00, 0x13, 0x05, 0x45, 0x01},
		{0x97, 0x10, 0x00, 0x00, 0xe7, 0x80, 0x00, 0x04}, {0x17, 0x31, 0x02, 0x40, 0x13, 0x01},
	}
	var code []byte
	for len(code) < size {
		code = append(code, opcodes[random.IntN(len(opcodes))]...)
		for range random.IntN(6) {
			code = append(code, byte(random.Uint32()))
		}
		if random.IntN(2) == 0 {
			code = append(code, make([]byte, -len(code)&15)...)
		}
	}
	return code[:size]
}

var bcjNames = []string{"x86", "powerpc", "ia64", "arm", "armthumb", "sparc", "arm64", "riscv"}

var updateXZ = flag.Bool("update-xz", false, "write the files of TestBCJFiles with the program xz, 5.6 or newer")

// testdata/bcj has what xz 5.8 compresses machineCode to.
func TestBCJFiles(t *testing.T) {
	code := machineCode(3001)
	for _, name := range bcjNames {
		file := filepath.Join("testdata", "bcj", name+".xz")
		if *updateXZ {
			packed, err := run(t, "xz --check=crc32 --"+name+" --lzma2=dict=4KiB -c", code)
			if err == nil {
				err = os.WriteFile(file, packed, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		packed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkFilters(t, packed, code, true, name)
	}
}

// checkFilters reads a member or file, and compares its content and the names of its
// filters. If member is false, the kernel does not take it.
func checkFilters(t *testing.T, packed, content []byte, member bool, filters ...string) {
	t.Helper()
	name := strings.Join(filters, ", ")
	z, err := codec.NewReader(bufio.NewReader(bytes.NewReader(packed)))
	var got []byte
	if err == nil {
		got, err = io.ReadAll(z)
	}
	switch {
	case !member && err == nil:
		t.Errorf("%s: the kernel does not take it, and Reader does", name)
	case member && (err != nil || !bytes.Equal(got, content)):
		t.Errorf("%s: other content, error %v", name, err)
	case member && !slices.Equal(z.Filters(), filters):
		t.Errorf("filters %q, want %q", z.Filters(), filters)
	}
	if _, got, err := readFile(packed); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%s: as a file: other content, error %v", name, err)
	}
}

// Filters convert what the program xz converted, in blocks of any size and from any
// position.
func TestBCJPrograms(t *testing.T) {
	code := machineCode(1 << 18)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range bcjNames {
		t.Run(name, func(t *testing.T) {
			if help, err := run(t, "xz --long-help", nil); err != nil || !bytes.Contains(help, []byte("--"+name)) {
				t.Skipf("this xz has no --%s", name)
			}
			t.Parallel()
			for _, c := range []struct {
				options string
				content []byte
				member  bool
			}{
				{"--NAME --lzma2=preset=0", code, true},
				{"--NAME --lzma2=preset=0", program[:1<<18], true},
				{"--NAME --lzma2=preset=0 --block-size=4111", code[:1<<16], true},
				{"--NAME --lzma2=preset=0", nil, true},
				{"--NAME --lzma2=preset=0", code[:3], true},
				{"--NAME=start=4096 --lzma2=preset=0", code[:1<<16], false},
				{"--NAME --delta=dist=3 --lzma2=preset=0", code[:1<<16], false},
				{"--delta --lzma2=preset=0", code[:1<<16], false},
			} {
				packed, err := run(t, "xz --check=crc32 -c "+strings.ReplaceAll(c.options, "NAME", name), c.content)
				if err != nil {
					t.Fatal(err)
				}
				var filters []string
				if c.content != nil { // xz writes no block for no content
					filters = []string{name}
				}
				checkFilters(t, packed, c.content, c.member, filters...)
			}
		})
	}
}
