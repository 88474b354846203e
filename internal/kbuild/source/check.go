package source

import (
	"fmt"
	"os"
	"path/filepath"
)

// Check returns an error unless the tree is the source of a kernel with the directory
// arch/srcArch.
func (t *Tree) Check(srcArch string) error {
	for _, name := range []string{"Makefile", "Kbuild", "Kconfig", "scripts/kconfig", "usr/Makefile"} {
		if _, err := os.Stat(filepath.Join(t.Dir, name)); err != nil {
			return fmt.Errorf("not the source of a kernel: it has no %s: use a linux-*.tar from kernel.org or from a distribution", name)
		}
	}
	if _, err := os.Stat(filepath.Join(t.Dir, "arch", srcArch, "Makefile")); err != nil {
		return fmt.Errorf("this kernel has no arch/%s: use another kernel, or build for another platform", srcArch)
	}
	return nil
}
