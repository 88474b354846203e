package lint

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// Arch is an architecture that programs are made for.
type Arch struct {
	// Name is the kernel's, where that says it all.
	Name    string
	aliases []string
	machine elf.Machine
	class   elf.Class
	data    elf.Data
	// family is what a kernel may run besides: a 64-bit kernel, programs of 32 bits.
	family string
	// triplets are the names of its directories below /lib and /usr/lib on
	// distributions that keep several architectures apart.
	triplets []string
}

// archs is the table of the known ones: an architecture is a row.
var archs = []Arch{
	{"x86_64", []string{"amd64"}, elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB, "x86", []string{"x86_64-linux-gnu", "x86_64-linux-musl"}},
	{"x32", nil, elf.EM_X86_64, elf.ELFCLASS32, elf.ELFDATA2LSB, "x86", []string{"x86_64-linux-gnux32"}},
	{"i386", []string{"i486", "i586", "i686", "x86"}, elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB, "x86", []string{"i386-linux-gnu", "i386-linux-musl"}},
	{"arm64", []string{"aarch64"}, elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2LSB, "arm", []string{"aarch64-linux-gnu", "aarch64-linux-musl"}},
	{"arm", []string{"armhf", "armel"}, elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB, "arm", []string{"arm-linux-gnueabihf", "arm-linux-gnueabi", "arm-linux-musleabihf"}},
	{"riscv64", nil, elf.EM_RISCV, elf.ELFCLASS64, elf.ELFDATA2LSB, "riscv", []string{"riscv64-linux-gnu", "riscv64-linux-musl", "lp64d"}},
	{"riscv32", nil, elf.EM_RISCV, elf.ELFCLASS32, elf.ELFDATA2LSB, "riscv", []string{"riscv32-linux-gnu"}},
	{"loongarch64", []string{"loong64"}, elf.EM_LOONGARCH, elf.ELFCLASS64, elf.ELFDATA2LSB, "loongarch", []string{"loongarch64-linux-gnu"}},
	{"ppc64le", []string{"ppc64el", "powerpc64le"}, elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2LSB, "ppcle", []string{"powerpc64le-linux-gnu", "powerpc64le-linux-musl"}},
	{"ppc64", []string{"powerpc64"}, elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2MSB, "ppc", []string{"powerpc64-linux-gnu"}},
	{"ppc", []string{"powerpc"}, elf.EM_PPC, elf.ELFCLASS32, elf.ELFDATA2MSB, "ppc", []string{"powerpc-linux-gnu"}},
	{"s390x", nil, elf.EM_S390, elf.ELFCLASS64, elf.ELFDATA2MSB, "s390", []string{"s390x-linux-gnu"}},
	{"s390", nil, elf.EM_S390, elf.ELFCLASS32, elf.ELFDATA2MSB, "s390", []string{"s390-linux-gnu"}},
	{"mips64el", nil, elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2LSB, "mipsle", []string{"mips64el-linux-gnuabi64"}},
	{"mipsel", nil, elf.EM_MIPS, elf.ELFCLASS32, elf.ELFDATA2LSB, "mipsle", []string{"mipsel-linux-gnu", "mips64el-linux-gnuabin32"}},
	{"mips64", nil, elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2MSB, "mips", []string{"mips64-linux-gnuabi64"}},
	{"mips", nil, elf.EM_MIPS, elf.ELFCLASS32, elf.ELFDATA2MSB, "mips", []string{"mips-linux-gnu", "mips64-linux-gnuabin32"}},
	{"sparc64", nil, elf.EM_SPARCV9, elf.ELFCLASS64, elf.ELFDATA2MSB, "sparc", []string{"sparc64-linux-gnu"}},
	{"sparc", nil, elf.EM_SPARC, elf.ELFCLASS32, elf.ELFDATA2MSB, "sparc", []string{"sparc-linux-gnu"}},
	{"alpha", nil, elf.EM_ALPHA, elf.ELFCLASS64, elf.ELFDATA2LSB, "alpha", []string{"alpha-linux-gnu"}},
	{"parisc", []string{"hppa"}, elf.EM_PARISC, elf.ELFCLASS32, elf.ELFDATA2MSB, "parisc", []string{"hppa-linux-gnu"}},
	{"m68k", nil, elf.EM_68K, elf.ELFCLASS32, elf.ELFDATA2MSB, "m68k", []string{"m68k-linux-gnu"}},
	{"sh", []string{"sh4"}, elf.EM_SH, elf.ELFCLASS32, elf.ELFDATA2LSB, "sh", []string{"sh4-linux-gnu"}},
}

// ParseArch returns the architecture with this name, the kernel's or another
// common one.
func ParseArch(name string) (*Arch, error) {
	var names []string
	for i := range archs {
		a := &archs[i]
		if a.Name == name || slices.Contains(a.aliases, name) {
			return a, nil
		}
		names = append(names, a.Name)
	}
	return nil, fmt.Errorf("unknown architecture %q: want one of %s", name, strings.Join(names, ", "))
}

// archOf returns the architecture of an ELF file; of one that is not in the
// table, always the same for the same.
func (x *contents) archOf(o *object) *Arch {
	for i := range archs {
		if a := &archs[i]; a.machine == o.machine && a.class == o.class && a.data == o.data {
			return a
		}
	}
	key := archKey{o.machine, o.class, o.data}
	a := x.unknown[key]
	if a == nil {
		name := fmt.Sprintf("ELF machine %d (%v, %v)", uint16(o.machine), o.class, o.data)
		a = &Arch{Name: name, machine: o.machine, class: o.class, data: o.data, family: name}
		if x.unknown == nil {
			x.unknown = map[archKey]*Arch{}
		}
		x.unknown[key] = a
	}
	return a
}

// archKey is what tells architectures apart in an ELF file.
type archKey struct {
	machine elf.Machine
	class   elf.Class
	data    elf.Data
}
