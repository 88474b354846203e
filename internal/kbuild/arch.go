package kbuild

import (
	"fmt"
	"strings"
)

// Arch is what kbuild calls an architecture.
type Arch struct {
	// Name is the architecture's in the rules.
	Name string
	// Arch is make's ARCH; SrcArch is its folder below arch/.
	Arch, SrcArch string
	// Target makes the image that a boot loader starts; Image is its path.
	Target, Image string
}

// archs has one row an architecture.
var archs = []Arch{
	{Name: "x86_64", Arch: "x86_64", SrcArch: "x86", Target: "bzImage", Image: "arch/x86/boot/bzImage"},
	{Name: "arm64", Arch: "arm64", SrcArch: "arm64", Target: "Image", Image: "arch/arm64/boot/Image"},
	{Name: "riscv64", Arch: "riscv", SrcArch: "riscv", Target: "Image", Image: "arch/riscv/boot/Image"},
}

// FindArch returns the architecture that has the name in the rules.
func FindArch(name string) (Arch, error) {
	var names []string
	for _, a := range archs {
		if a.Name == name {
			return a, nil
		}
		names = append(names, a.Name)
	}
	return Arch{}, fmt.Errorf("no architecture %q: want %s", name, strings.Join(names, ", "))
}
