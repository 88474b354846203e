package lint

import (
	debugelf "debug/elf"
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// findNative finds the architecture of the image: that of the program that the kernel starts (of
// its interpreter if it is a script), or else the most frequent one.
func (x *contents) findNative(files []*elf.File) {
	at := x.options.Init
	for range maxScripts + 1 {
		file, _, err := x.model.Lookup(at)
		if err != nil {
			break
		}
		p := x.programs[file]
		if o := p.object(); o != nil {
			x.native, x.nativePath = o.Arch, p.path
			return
		}
		if p == nil || !p.isScript {
			break
		}
		at = p.interpreter
	}
	counts, first := map[elf.Arch]int{}, map[elf.Arch]string{}
	var archs []elf.Arch // in the order of their first programs
	for _, file := range files {
		if !file.IsUsed {
			continue
		}
		arch := file.Object.Arch
		if counts[arch]++; counts[arch] == 1 {
			archs, first[arch] = append(archs, arch), file.Path
		}
	}
	for _, arch := range archs {
		if counts[arch] > counts[x.native] {
			x.native, x.nativePath = arch, first[arch]
		}
	}
}

// otherArch returns the architecture of the file with this path if it is not the wanted one, and
// whether a kernel for the wanted one may run the file nevertheless.
func (x *contents) otherArch(at string, file *kernel.File) (arch elf.Arch, isCompatible bool) {
	p := x.programs[file]
	if p.object() == nil || p.path != at || !p.elf.IsUsed {
		return elf.Arch{}, false
	}
	arch = p.elf.Object.Arch
	want := x.options.Arch
	if want == (elf.Arch{}) {
		want = x.native
	}
	if arch == want {
		return elf.Arch{}, false
	}
	// A 32-bit kernel does not run 64-bit programs.
	isTooWide := x.options.Arch != (elf.Arch{}) && want.Class == debugelf.ELFCLASS32 && arch.Class == debugelf.ELFCLASS64
	return arch, arch.IsRelated(want) && !isTooWide
}

func checkArch(x *contents, at string, file *kernel.File, report reporter) {
	if arch, isCompatible := x.otherArch(at, file); arch != (elf.Arch{}) && !isCompatible {
		report(at, x.describeArch(arch), "")
	}
}

func checkClass(x *contents, at string, file *kernel.File, report reporter) {
	if arch, isCompatible := x.otherArch(at, file); arch != (elf.Arch{}) && isCompatible {
		report(at, x.describeArch(arch), "")
	}
}

func (x *contents) describeArch(arch elf.Arch) string {
	if x.options.Arch != (elf.Arch{}) {
		return fmt.Sprintf("it is built for %s, not for %s", arch, x.options.Arch)
	}
	return fmt.Sprintf("it is built for %s, but %s for %s", arch, x.nativePath, x.native)
}
