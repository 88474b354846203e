package source

import (
	"fmt"
	"os"
	"path/filepath"
)

// Check tells whether the tree is a kernel's source that knows the architecture with the
// folder arch/srcArch.
func (t *Tree) Check(srcArch string) error {
	for _, name := range []string{"Makefile", "Kbuild", "Kconfig", "scripts/kconfig", "usr/Makefile"} {
		if _, err := os.Stat(filepath.Join(t.Dir, name)); err != nil {
			return fmt.Errorf("not the source of a kernel: there is no %s in it: take a linux-*.tar of kernel.org or of a distribution", name)
		}
	}
	if _, err := os.Stat(filepath.Join(t.Dir, "arch", srcArch, "Makefile")); err != nil {
		return fmt.Errorf("this kernel has no arch/%s: take another one, or build for another platform", srcArch)
	}
	return nil
}
