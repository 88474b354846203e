package elf

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// Arch is the architecture of a program, as its ELF header has it. The zero Arch means no architecture.
type Arch struct {
	Machine elf.Machine
	Class   elf.Class
	Data    elf.Data
}

// archRow is what is known of an architecture.
type archRow struct {
	Arch
	// name is the kernel's, unless that name is ambiguous.
	name    string
	aliases []string
	// family is the same for the architectures whose programs one kernel may run, such as
	// 32-bit programs on a 64-bit kernel.
	family string
	// triplets are the names of directories below /lib and /usr/lib on distributions that
	// install several architectures side by side.
	triplets []string
}

// archs is the table of the known architectures.
var archs = []archRow{
	{Arch{elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB}, "x86_64", []string{"amd64"}, "x86", []string{"x86_64-linux-gnu", "x86_64-linux-musl"}},
	{Arch{elf.EM_X86_64, elf.ELFCLASS32, elf.ELFDATA2LSB}, "x32", nil, "x86", []string{"x86_64-linux-gnux32"}},
	{Arch{elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB}, "i386", []string{"i486", "i586", "i686", "x86"}, "x86", []string{"i386-linux-gnu", "i386-linux-musl"}},
	{Arch{elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2LSB}, "arm64", []string{"aarch64"}, "arm", []string{"aarch64-linux-gnu", "aarch64-linux-musl"}},
	{Arch{elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB}, "arm", []string{"armhf", "armel"}, "arm", []string{"arm-linux-gnueabihf", "arm-linux-gnueabi", "arm-linux-musleabihf"}},
	{Arch{elf.EM_RISCV, elf.ELFCLASS64, elf.ELFDATA2LSB}, "riscv64", nil, "riscv", []string{"riscv64-linux-gnu", "riscv64-linux-musl", "lp64d"}},
	{Arch{elf.EM_RISCV, elf.ELFCLASS32, elf.ELFDATA2LSB}, "riscv32", nil, "riscv", []string{"riscv32-linux-gnu"}},
	{Arch{elf.EM_LOONGARCH, elf.ELFCLASS64, elf.ELFDATA2LSB}, "loongarch64", []string{"loong64"}, "loongarch", []string{"loongarch64-linux-gnu"}},
	{Arch{elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2LSB}, "ppc64le", []string{"ppc64el", "powerpc64le"}, "ppcle", []string{"powerpc64le-linux-gnu", "powerpc64le-linux-musl"}},
	{Arch{elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2MSB}, "ppc64", []string{"powerpc64"}, "ppc", []string{"powerpc64-linux-gnu"}},
	{Arch{elf.EM_PPC, elf.ELFCLASS32, elf.ELFDATA2MSB}, "ppc", []string{"powerpc"}, "ppc", []string{"powerpc-linux-gnu"}},
	{Arch{elf.EM_S390, elf.ELFCLASS64, elf.ELFDATA2MSB}, "s390x", nil, "s390", []string{"s390x-linux-gnu"}},
	{Arch{elf.EM_S390, elf.ELFCLASS32, elf.ELFDATA2MSB}, "s390", nil, "s390", []string{"s390-linux-gnu"}},
	{Arch{elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2LSB}, "mips64el", nil, "mipsle", []string{"mips64el-linux-gnuabi64"}},
	{Arch{elf.EM_MIPS, elf.ELFCLASS32, elf.ELFDATA2LSB}, "mipsel", nil, "mipsle", []string{"mipsel-linux-gnu", "mips64el-linux-gnuabin32"}},
	{Arch{elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2MSB}, "mips64", nil, "mips", []string{"mips64-linux-gnuabi64"}},
	{Arch{elf.EM_MIPS, elf.ELFCLASS32, elf.ELFDATA2MSB}, "mips", nil, "mips", []string{"mips-linux-gnu", "mips64-linux-gnuabin32"}},
	{Arch{elf.EM_SPARCV9, elf.ELFCLASS64, elf.ELFDATA2MSB}, "sparc64", nil, "sparc", []string{"sparc64-linux-gnu"}},
	{Arch{elf.EM_SPARC, elf.ELFCLASS32, elf.ELFDATA2MSB}, "sparc", nil, "sparc", []string{"sparc-linux-gnu"}},
	{Arch{elf.EM_ALPHA, elf.ELFCLASS64, elf.ELFDATA2LSB}, "alpha", nil, "alpha", []string{"alpha-linux-gnu"}},
	{Arch{elf.EM_PARISC, elf.ELFCLASS32, elf.ELFDATA2MSB}, "parisc", []string{"hppa"}, "parisc", []string{"hppa-linux-gnu"}},
	{Arch{elf.EM_68K, elf.ELFCLASS32, elf.ELFDATA2MSB}, "m68k", nil, "m68k", []string{"m68k-linux-gnu"}},
	{Arch{elf.EM_SH, elf.ELFCLASS32, elf.ELFDATA2LSB}, "sh", []string{"sh4"}, "sh", []string{"sh4-linux-gnu"}},
}

// row returns what is known of an architecture; the zero row for one that is not in the table.
func (a Arch) row() archRow {
	for _, row := range archs {
		if row.Arch == a {
			return row
		}
	}
	return archRow{}
}

// String returns the name of the architecture.
func (a Arch) String() string {
	return cmp.Or(a.row().name, fmt.Sprintf("ELF machine %d (%v, %v)", uint16(a.Machine), a.Class, a.Data))
}

// IsRelated reports whether one kernel may run programs of both architectures.
func (a Arch) IsRelated(b Arch) bool {
	family := a.row().family
	return a == b || family != "" && family == b.row().family
}

// ParseArch returns the architecture with this name, which may be the kernel's or another
// common one.
func ParseArch(name string) (Arch, error) {
	var names []string
	for _, row := range archs {
		if row.name == name || slices.Contains(row.aliases, name) {
			return row.Arch, nil
		}
		names = append(names, row.name)
	}
	return Arch{}, fmt.Errorf("unknown architecture %q: want one of %s", name, strings.Join(names, ", "))
}
