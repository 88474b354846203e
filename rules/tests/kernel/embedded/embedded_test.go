// Package embedded_test reads the initramfs out of kernels that it was linked into.
package embedded_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/kernel/kerneltest"
)

// What kbuild puts into a kernel is the archive that it was given, byte for byte.
func TestEmbedded(t *testing.T) {
	for _, name := range []string{"SEGMENTS", "UNCOMPRESSED"} {
		want, err := os.ReadFile(kerneltest.Locate(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := kerneltest.Embedded(t, kerneltest.Locate(t, name+"_VMLINUX")); !bytes.Equal(got, want) {
			t.Errorf("%s: the kernel has %d bytes that are not the archive's %d", name, len(got), len(want))
		}
	}
}
