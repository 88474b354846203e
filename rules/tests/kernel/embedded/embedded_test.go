// Package embedded_test reads the initramfs from kernels that it was linked into.
package embedded_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/kernel/kerneltest"
)

// Kbuild puts an archive into a kernel byte for byte.
func TestEmbedded(t *testing.T) {
	for _, name := range []string{"MEMBERS", "UNCOMPRESSED"} {
		want, err := os.ReadFile(kerneltest.Locate(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := kerneltest.Embedded(t, kerneltest.Locate(t, name+"_VMLINUX")); !bytes.Equal(got, want) {
			t.Errorf("%s: the %d bytes in the kernel differ from the archive, %d bytes", name, len(got), len(want))
		}
	}
}
