package lint

import (
	"debug/elf"
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// findNative tells the architecture of the image: that of the program that the
// kernel starts, of a script its interpreter's; else the most frequent.
func (x *contents) findNative() {
	at := x.options.Init
	for range maxScripts + 1 {
		file, _, err := x.model.Lookup(at)
		if err != nil {
			break
		}
		p := x.programs[file]
		if p == nil || p.object == nil {
			if p == nil || !p.script {
				break
			}
			at = p.interpreter
			continue
		}
		x.native, x.nativePath = x.archOf(p.object), x.pathOf(p)
		return
	}
	counts, first := map[*Arch]int{}, map[*Arch]string{}
	for _, p := range x.ordered {
		if p.object == nil || !p.runs {
			continue
		}
		arch := x.archOf(p.object)
		if counts[arch]++; counts[arch] == 1 {
			first[arch] = x.pathOf(p)
		}
	}
	for _, p := range x.ordered {
		if p.object == nil || !p.runs {
			continue
		}
		if arch := x.archOf(p.object); counts[arch] > counts[x.native] {
			x.native, x.nativePath = arch, first[arch]
		}
	}
}

// misfit returns the architecture of a file with the path, if it is not the one
// that is wanted, and whether a kernel for that one may run it nevertheless.
func (x *contents) misfit(at string, file *kernel.File) (arch *Arch, compatible bool) {
	p := x.programs[file]
	if p == nil || p.object == nil || !x.isFirst(p, at) || !p.runs {
		return nil, false
	}
	arch = x.archOf(p.object)
	want := x.options.Arch
	if want == nil {
		want = x.native
	}
	if arch == want {
		return nil, false
	}
	// A 32-bit kernel runs nothing of 64 bits.
	narrow := x.options.Arch != nil && want.class == elf.ELFCLASS32 && arch.class == elf.ELFCLASS64
	return arch, arch.family == want.family && !narrow
}

func checkArch(x *contents, at string, file *kernel.File, report reporter) {
	if arch, compatible := x.misfit(at, file); arch != nil && !compatible {
		report(at, x.isFor(arch), "")
	}
}

func checkClass(x *contents, at string, file *kernel.File, report reporter) {
	if arch, compatible := x.misfit(at, file); arch != nil && compatible {
		report(at, x.isFor(arch), "")
	}
}

func (x *contents) isFor(arch *Arch) string {
	if x.options.Arch != nil {
		return fmt.Sprintf("it is for %s; want %s", arch.Name, x.options.Arch.Name)
	}
	return fmt.Sprintf("it is for %s, and %s for %s", arch.Name, x.nativePath, x.native.Name)
}
