// Package kerneltest helps tests of compiled kernels.
package kerneltest

import (
	"debug/elf"
	"os"
	"path/filepath"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// Locate returns the absolute path of the runfile that an environment variable names. Without the
// variable, the test does not run under Bazel and is skipped, because compiling a kernel takes
// minutes.
func Locate(t *testing.T, variable string) string {
	t.Helper()
	value, ok := os.LookupEnv(variable)
	if !ok {
		t.Skipf("needs a kernel that Bazel has compiled, in %s: bazel test //rules/tests/kernel/...", variable)
	}
	name, err := runfiles.Rlocation(value)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	if name, err = filepath.Abs(name); err != nil {
		t.Fatal(err)
	}
	return name
}

// Embedded returns the initramfs in a vmlinux. usr/initramfs_data.S puts its size after it, at the
// symbol __initramfs_size, aligned to 8 bytes.
func Embedded(t *testing.T, vmlinux string) []byte {
	t.Helper()
	file, err := elf.Open(vmlinux)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatalf("%s: %v", vmlinux, err)
	}
	addresses := map[string]uint64{}
	for _, s := range symbols {
		addresses[s.Name] = s.Value
	}
	start, sizeAt := addresses["__initramfs_start"], addresses["__initramfs_size"]
	for _, section := range file.Sections {
		if start == 0 || start < section.Addr || start >= section.Addr+section.Size || section.Type == elf.SHT_NOBITS {
			continue
		}
		data, err := section.Data()
		if err != nil {
			t.Fatalf("%s: %v", vmlinux, err)
		}
		size := file.ByteOrder.Uint64(data[sizeAt-section.Addr:])
		return data[start-section.Addr:][:size]
	}
	t.Fatalf("%s: there is no section with __initramfs_start", vmlinux)
	return nil
}
