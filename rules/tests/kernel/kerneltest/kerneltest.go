// Package kerneltest helps tests of compiled kernels.
package kerneltest

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
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

// Run runs a command in a directory, with these environment variables in addition to the test's.
func Run(t *testing.T, dir string, env []string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		const longest = 5000 // bytes
		t.Fatalf("%q: %v:\n%s", command, err, out[max(0, len(out)-longest):])
	}
}

// Same checks that two files are the same. If they differ, the first one is kept in the test's
// undeclared outputs.
func Same(t *testing.T, what, got, want string) {
	t.Helper()
	one, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one, two) {
		return
	}
	t.Errorf("%s: the file has %d bytes and differs from the wanted one, %d bytes", what, len(one), len(two))
	if dir := os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, what), one, 0o644); err != nil {
			t.Error(err)
		}
	}
}

// Embedded returns the initramfs in a vmlinux. usr/initramfs_data.S puts its size after it, at the
// symbol __initramfs_size, aligned to 8 bytes.
func Embedded(t *testing.T, vmlinux string) []byte {
	t.Helper()
	archive, err := embedded(vmlinux)
	if err != nil {
		t.Fatalf("%s: %v", vmlinux, err)
	}
	return archive
}

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
	return nil, fmt.Errorf("there is no section with __initramfs_start")
}
