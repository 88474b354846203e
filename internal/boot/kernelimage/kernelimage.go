// Package kernelimage reads the headers of kernel images. It says before QEMU starts what QEMU
// cannot boot: most machines would do nothing without a word.
package kernelimage

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// A Format is a format of kernels. As text, it follows "it is".
type Format string

// The formats, and the pages of the kernel's Documentation/arch that describe them.
const (
	Unknown    Format = "not a kernel"
	BzImage    Format = "a bzImage"         // x86/boot.rst
	Raw        Format = "an Image"          // arm64/booting.rst, riscv/boot-image-header.rst
	GzipRaw    Format = "an Image.gz"       // an Image in gzip
	EFI        Format = "an EFI executable" // x86/boot.rst, "EFI stub"; also what systemd-stub makes
	ZBoot      Format = "an EFI zboot image"
	ELF        Format = "an ELF file"
	Vmlinux    Format = "a vmlinux, which a debugger reads" // an ELF file that begins at a virtual address
	UImage     Format = "a uImage"
	Compressed Format = "a compressed file"
)

// bootable are the formats that QEMU boots without firmware, by architecture. QEMU itself
// rejects an ELF file for x86 that has no entry for it (hw/i386/x86-common.c, hw/arm/boot.c,
// hw/riscv/boot.c).
var bootable = map[string][]Format{
	"x86_64":  {BzImage, ELF},
	"arm64":   {Raw, GzipRaw, ZBoot, ELF, UImage},
	"riscv64": {Raw, ELF, UImage},
}

// An Image is what a file's headers say.
type Image struct {
	Format         Format
	Arch           string // the name of a row of package arch; empty if it is unknown
	Memory         int64  // the bytes of memory that the kernel takes at least; zero if that is unknown
	MaxCommandLine int    // the longest command line, in bytes; zero if that is unknown
}

// headerSize is where the headers that this package reads end, in bytes.
const headerSize = 4 << 10

// Read reads the headers of the named file.
func Read(name string) (Image, error) {
	f, err := os.Open(name)
	if err != nil {
		return Image{}, err
	}
	defer f.Close()
	i, err := ReadHead(f)
	if err != nil {
		return Image{}, fmt.Errorf("%s: %w", name, err)
	}
	return i, nil
}

// ReadHead reads the headers of the kernel that r begins with.
func ReadHead(r io.Reader) (Image, error) {
	head, err := readHead(r)
	if err != nil {
		return Image{}, err
	}
	return parse(head), nil
}

// readHead reads the beginning of a file. A shorter file ends with zeros.
func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(r, head); err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return head, nil
}

var little = binary.LittleEndian

// parse returns what the first bytes of a file say. A bzImage and an Image can be EFI
// executables too.
func parse(head []byte) Image {
	raw := parseRaw(head)
	switch {
	case little.Uint16(head[0x1fe:]) == 0xaa55 && hasText(head, 0x202, "HdrS"):
		return parseBzImage(head)
	case raw.Format == Raw:
		return raw
	case hasText(head, 0, "MZ"):
		format := EFI
		if hasText(head, 4, "zimg") { // drivers/firmware/efi/libstub/zboot-header.S
			format = ZBoot
		}
		return Image{Format: format, Arch: peArch(head)}
	case hasText(head, 0, "\x7fELF"):
		return parseELF(head)
	case hasText(head, 0, "\x27\x05\x19\x56"): // image.h of U-Boot
		return Image{Format: UImage, Arch: map[byte]string{22: "arm64", 24: "x86_64", 26: "riscv64"}[head[29]]}
	case codec.Detect(head) == "gzip":
		return parseGzip(head)
	case codec.Detect(head) != "":
		return Image{Format: Compressed}
	}
	return Image{Format: Unknown}
}

func hasText(head []byte, at int, text string) bool { return string(head[at:at+len(text)]) == text }

// parseRaw reads the header of an Image.
func parseRaw(head []byte) Image {
	i := Image{Format: Raw, Memory: size(little.Uint64(head[0x10:]))}
	switch {
	case hasText(head, 0x38, "ARM\x64"):
		i.Arch = "arm64"
	case hasText(head, 0x30, "RISCV\x00\x00\x00") && hasText(head, 0x38, "RSC\x05"):
		i.Arch = "riscv64"
	default:
		return Image{Format: Unknown}
	}
	return i
}

// size returns a size in a header; zero if it is larger than any kernel.
func size(bytes uint64) int64 {
	if bytes > arch.MaxRoom {
		return 0
	}
	return int64(bytes)
}

func parseBzImage(head []byte) Image {
	i := Image{Format: BzImage, Arch: "x86_64", MaxCommandLine: 255}
	version := little.Uint16(head[0x206:])
	if version >= 0x206 {
		i.MaxCommandLine = int(min(little.Uint32(head[0x238:]), 1<<20))
	}
	if version >= 0x20a {
		i.Memory = size(uint64(little.Uint32(head[0x260:])))
	}
	return i
}

// peArch returns the architecture of an EFI executable.
func peArch(head []byte) string {
	at := little.Uint32(head[0x3c:])
	if at > headerSize-6 || !hasText(head, int(at), "PE\x00\x00") {
		return ""
	}
	return map[uint16]string{0x8664: "x86_64", 0xaa64: "arm64", 0x5064: "riscv64"}[little.Uint16(head[at+4:])]
}

func parseELF(head []byte) Image {
	// A 32-bit file starts on x86_64 too.
	i := Image{Format: ELF, Arch: map[uint16]string{3: "x86_64", 62: "x86_64", 183: "arm64", 243: "riscv64"}[little.Uint16(head[18:])]}
	const class64, virtual = 2, 1 << 63
	if head[4] == class64 && little.Uint64(head[24:]) >= virtual {
		i.Format = Vmlinux
	}
	return i
}

func parseGzip(head []byte) Image {
	z, err := gzip.NewReader(bytes.NewReader(head))
	if err != nil {
		return Image{Format: Compressed}
	}
	inner := make([]byte, headerSize)
	io.ReadFull(z, inner) // as far as the head goes
	i := parseRaw(inner)
	if i.Format != Raw {
		return Image{Format: Compressed}
	}
	i.Format = GzipRaw
	return i
}

// uefiPayloads are the formats that UEFI starts: EFI executables. A bzImage and an Image are
// some if the kernel has CONFIG_EFI_STUB, which the heads of their files do not all say.
var uefiPayloads = []Format{EFI, ZBoot, BzImage, Raw}

// CheckUEFI returns an error if UEFI firmware cannot start i on any machine.
func (i Image) CheckUEFI() error {
	if slices.Contains(uefiPayloads, i.Format) {
		return nil
	}
	return fmt.Errorf("it is %s, and UEFI firmware starts EFI executables: use a unified kernel image, or a kernel with CONFIG_EFI_STUB", i.Format)
}

// Check returns an error if the machine of an architecture cannot boot i. With firmware, which
// can start more formats, it checks only the architecture.
func (i Image) Check(a arch.Arch, firmware bool) error {
	switch {
	case i.Arch != "" && i.Arch != a.Name:
		return fmt.Errorf("it is %s for %s, and the machine is %s: use a kernel for the machine's architecture, or set platform to the kernel's", i.Format, i.Arch, a.Name)
	case firmware || slices.Contains(bootable[a.Name], i.Format):
		return nil
	case i.Format == EFI || i.Format == ZBoot:
		return fmt.Errorf("it is %s, which needs EFI firmware: set firmware, or use the kernel's %s", i.Format, a.Image)
	default:
		return fmt.Errorf("it is %s: on %s, QEMU boots the kernel's %s", i.Format, a.Name, a.Image)
	}
}
