package kernelimage

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// file returns a file with texts at offsets.
func file(texts map[int]string) []byte {
	data := make([]byte, headerSize)
	for at, text := range texts {
		copy(data[at:], text)
	}
	return data
}

func elfFile(t *testing.T, h elf.Header64) []byte {
	var b bytes.Buffer
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compress(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The sizes of these files are 1 MiB.
var (
	arm64Image   = map[int]string{0: "MZ", 0x12: "\x10", 0x38: "ARM\x64\x40", 0x40: "PE\x00\x00\x64\xaa"}
	riscvImage   = map[int]string{0: "MZ", 0x12: "\x10", 0x30: "RISCV", 0x38: "RSC\x05\x40", 0x40: "PE\x00\x00\x64\x50"}
	bzImage      = map[int]string{0: "MZ", 0x1fe: "\x55\xaa", 0x202: "HdrS\x0f\x02", 0x238: "\xff\x07", 0x262: "\x10"}
	oldBzImage   = map[int]string{0x1fe: "\x55\xaa", 0x202: "HdrS\x03\x02", 0x238: "\xff\x07"}
	efi          = map[int]string{0: "MZ", 0x3c: "\x80", 0x80: "PE\x00\x00\x64\x86"}
	zboot        = map[int]string{0: "MZ\x00\x00zimg", 0x3c: "\x40", 0x40: "PE\x00\x00\x64\x50"}
	uImage       = map[int]string{0: "\x27\x05\x19\x56", 29: "\x16"}
	damagedEFI   = map[int]string{0: "MZ", 0x3c: "\xff\xff\xff\xff"}
	largestSizes = map[int]string{0x10: "\xff\xff\xff\xff\xff\xff\xff\xff", 0x38: "ARM\x64"}
)

func TestRead(t *testing.T) {
	for _, test := range []struct {
		name string
		data []byte
		want Image
	}{
		{"empty", nil, Image{Format: Unknown}},
		{"zeros", make([]byte, 1<<20), Image{Format: Unknown}},
		{"a script", []byte("#!/bin/sh\n"), Image{Format: Unknown}},
		{"an archive", []byte("07070100000001"), Image{Format: Unknown}},
		{"arm64", file(arm64Image), Image{Format: Raw, Arch: "arm64", Memory: 1 << 20}},
		{"arm64, too large to be true", file(largestSizes), Image{Format: Raw, Arch: "arm64"}},
		{"riscv64", file(riscvImage), Image{Format: Raw, Arch: "riscv64", Memory: 1 << 20}},
		{"x86_64", file(bzImage), Image{Format: BzImage, Arch: "x86_64", Memory: 1 << 20, MaxCommandLine: 2047}},
		{"x86_64, protocol 2.03", file(oldBzImage), Image{Format: BzImage, Arch: "x86_64", MaxCommandLine: 255}},
		{"EFI", file(efi), Image{Format: EFI, Arch: "x86_64"}},
		{"EFI zboot", file(zboot), Image{Format: ZBoot, Arch: "riscv64"}},
		{"EFI, damaged", file(damagedEFI), Image{Format: EFI}},
		{"uImage", file(uImage), Image{Format: UImage, Arch: "arm64"}},
		{"ELF", elfFile(t, elf.Header64{Machine: uint16(elf.EM_AARCH64), Entry: 0x40000000}), Image{Format: ELF, Arch: "arm64"}},
		{"ELF, another machine", elfFile(t, elf.Header64{Machine: uint16(elf.EM_PPC64)}), Image{Format: ELF}},
		{"vmlinux", elfFile(t, elf.Header64{Machine: uint16(elf.EM_RISCV), Entry: 0xffffffff80000000}), Image{Format: Vmlinux, Arch: "riscv64"}},
		{"Image.gz", compress(t, file(arm64Image)), Image{Format: GzipRaw, Arch: "arm64", Memory: 1 << 20}},
		{"gzip of gzip", compress(t, compress(t, file(arm64Image))), Image{Format: Compressed}},
		{"gzip of a script", compress(t, []byte("#!/bin/sh\n")), Image{Format: Compressed}},
		{"gzip, cut", compress(t, file(arm64Image))[:12], Image{Format: Compressed}},
		{"xz", []byte("\xfd7zXZ\x00"), Image{Format: Compressed}},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "kernel")
			if err := os.WriteFile(name, test.data, 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := Read(name); err != nil || got != test.want {
				t.Errorf("%+v, %v, want %+v", got, err, test.want)
			}
		})
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("no error for a directory")
	}
}

func TestCheck(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct {
		name     string
		image    Image
		arch     string
		firmware bool
		wantErr  bool
	}{
		{"bzImage", Image{Format: BzImage, Arch: "x86_64"}, "x86_64", false, false},
		{"bzImage with firmware", Image{Format: BzImage, Arch: "x86_64"}, "x86_64", true, false},
		{"bzImage on arm64", Image{Format: BzImage, Arch: "x86_64"}, "arm64", false, true},
		{"bzImage on arm64, with firmware", Image{Format: BzImage, Arch: "x86_64"}, "arm64", true, true},
		{"Image of arm64", Image{Format: Raw, Arch: "arm64"}, "arm64", false, false},
		{"Image of arm64 on riscv64", Image{Format: Raw, Arch: "arm64"}, "riscv64", false, true},
		{"Image of riscv64", Image{Format: Raw, Arch: "riscv64"}, "riscv64", false, false},
		{"Image.gz on arm64", Image{Format: GzipRaw, Arch: "arm64"}, "arm64", false, false},
		{"Image.gz on riscv64", Image{Format: GzipRaw, Arch: "riscv64"}, "riscv64", false, true},
		{"zboot on arm64", Image{Format: ZBoot, Arch: "arm64"}, "arm64", false, false},
		{"zboot on riscv64", Image{Format: ZBoot, Arch: "riscv64"}, "riscv64", false, true},
		{"zboot on riscv64, with firmware", Image{Format: ZBoot, Arch: "riscv64"}, "riscv64", true, false},
		{"EFI executable", Image{Format: EFI, Arch: "x86_64"}, "x86_64", false, true},
		{"EFI executable, with firmware", Image{Format: EFI, Arch: "x86_64"}, "x86_64", true, false},
		{"ELF file", Image{Format: ELF, Arch: "x86_64"}, "x86_64", false, false},
		{"vmlinux", Image{Format: Vmlinux, Arch: "arm64"}, "arm64", false, true},
		{"compressed", Image{Format: Compressed}, "x86_64", false, true},
		{"unknown", Image{Format: Unknown}, "riscv64", false, true},
		{"unknown, with firmware", Image{Format: Unknown}, "riscv64", true, false},
	} {
		a, err := arch.Find(test.arch)
		if err != nil {
			t.Fatal(err)
		}
		err = test.image.Check(a, test.firmware)
		if (err != nil) != test.wantErr {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil {
			messages[test.name] = err.Error()
		}
	}
	golden.Messages(t, "TestCheck.txt", messages)
}

func FuzzRead(f *testing.F) {
	for _, seed := range []map[int]string{arm64Image, riscvImage, bzImage, efi, zboot, damagedEFI} {
		f.Add(file(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		head, err := readHead(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if i := parse(head); i.Memory < 0 || i.MaxCommandLine < 0 {
			t.Errorf("%+v", i)
		}
	})
}
