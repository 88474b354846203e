// Package kernel tests what is linked into a kernel.
package kernel

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// What kbuild puts into a kernel is the archive that it was given, byte for byte.
func TestEmbedded(t *testing.T) {
	for _, name := range []string{"SEGMENTS", "UNCOMPRESSED"} {
		want, err := os.ReadFile(locate(t, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := embedded(locate(t, name+"_VMLINUX"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the kernel has %d bytes that are not the archive's %d", name, len(got), len(want))
		}
	}
}

func locate(t *testing.T, variable string) string {
	t.Helper()
	name, err := runfiles.Rlocation(os.Getenv(variable))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// embedded returns the initramfs in a vmlinux. usr/initramfs_data.S has its size right behind
// it, at the symbol __initramfs_size, aligned to 8.
func embedded(vmlinux string) ([]byte, error) {
	file, err := elf.Open(vmlinux)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		return nil, err
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
			return nil, err
		}
		size := file.ByteOrder.Uint64(data[sizeAt-section.Addr:])
		return data[start-section.Addr:][:size], nil
	}
	return nil, fmt.Errorf("%s has no __initramfs_start", vmlinux)
}
