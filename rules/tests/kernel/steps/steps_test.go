// Package steps_test reads the output of kbuild when it linked initramfs images into kernels.
package steps_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/kernel/kerneltest"
)

var (
	// compiled matches a step that compiles an object, or a program for kbuild.
	compiled = regexp.MustCompile(`(?m)^  (?:CC|AS|LDS|HOSTCC|HOSTLD)(?: \[M\])? +(\S+)$`)
	// linked matches the objects that a link must compile, because their content depends on it: the
	// archive, the symbols, the image around the kernel.
	linked = regexp.MustCompile(`^(usr/initramfs_data\.o|\.tmp_vmlinux[0-9]\.kallsyms\.o|\.vmlinux\.export\.o|arch/\w+/boot/.*)$`)
)

// A link does not compile anything else again.
func TestSteps(t *testing.T) {
	for _, name := range []string{"ARM64", "MODULES", "RISCV64", "X86_64"} {
		log, err := os.ReadFile(kerneltest.Locate(t, name))
		if err != nil {
			t.Fatal(err)
		}
		steps := compiled.FindAllStringSubmatch(string(log), -1)
		if len(steps) == 0 {
			t.Errorf("%s: there are no steps, not even for the archive:\n%s", name, log)
		}
		for _, step := range steps {
			if !linked.MatchString(step[1]) {
				t.Errorf("%s: a step compiles again: %s", name, step[0])
			}
		}
	}
}
