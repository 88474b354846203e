// Package from_scratch_test lets kbuild make from nothing the kernel that was linked out of
// what an earlier build had kept: it is the same.
package from_scratch_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/kernel/kerneltest"
)

// archive is where tools/kernel puts the archive, in the configuration too.
const archive = "usr/initramfs.cpio.linked"

func TestFromScratch(t *testing.T) {
	source, linked := kerneltest.Locate(t, "LINUX_SOURCE"), kerneltest.Locate(t, "IMAGE")
	dir := t.TempDir()
	kerneltest.Run(t, dir, nil, "tar", "--extract", "--file="+source, "--strip-components=1")
	copyFile(t, kerneltest.Locate(t, "CONFIG"), filepath.Join(dir, ".config"))
	copyFile(t, kerneltest.Locate(t, "ARCHIVE"), filepath.Join(dir, archive))
	makeImage := func() {
		t.Helper()
		kerneltest.Run(t, dir, []string{
			"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970", "KBUILD_BUILD_USER=bazel", "KBUILD_BUILD_HOST=bazel", "KBUILD_BUILD_VERSION=1",
		}, "make", "--silent", "--jobs="+strconv.Itoa(runtime.NumCPU()), "ARCH=x86_64", "olddefconfig", "bzImage")
	}
	makeImage()
	kerneltest.Same(t, "vmlinux", filepath.Join(dir, "vmlinux"), kerneltest.Locate(t, "VMLINUX"))
	kerneltest.Same(t, "image", filepath.Join(dir, "arch/x86/boot/bzImage"), linked)

	// Now from a list and a directory: with kbuild's own tools, and with ours in their place.
	write(t, filepath.Join(dir, "files.list"), "dir /dev 0755 0 0\nnod /dev/console 0600 0 0 c 5 1\nfile /etc/motd tree/motd 0644 0 0 /etc/issue\n")
	write(t, filepath.Join(dir, "tree/motd"), "Welcome.\n")
	packer := kerneltest.Locate(t, "PACKER")
	write(t, filepath.Join(dir, "tree/bin/init"), read(t, packer)[:100_001])
	configuration := read(t, filepath.Join(dir, ".config"))
	write(t, filepath.Join(dir, ".config"), strings.Replace(configuration,
		`CONFIG_INITRAMFS_SOURCE="`+archive+`"`, `CONFIG_INITRAMFS_SOURCE="files.list tree"`, 1))
	makeImage()
	theirs := kerneltest.Embedded(t, filepath.Join(dir, "vmlinux"))
	if len(theirs) < 10_000 {
		t.Fatalf("the kernel has an initramfs of %d bytes", len(theirs))
	}
	vmlinux := read(t, filepath.Join(dir, "vmlinux"))

	copyFile(t, packer, filepath.Join(dir, "usr/gen_init_cpio"))
	write(t, filepath.Join(dir, "usr/gen_initramfs.sh"), "exec '"+packer+"' gen_initramfs \"$@\"\n")
	for _, name := range []string{"usr/initramfs_data.cpio", "usr/initramfs_inc_data"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	makeImage()
	if ours := kerneltest.Embedded(t, filepath.Join(dir, "vmlinux")); !bytes.Equal(ours, theirs) {
		t.Errorf("with our tools the kernel has an initramfs of %d bytes that are not the %d of its own tools", len(ours), len(theirs))
	}
	if read(t, filepath.Join(dir, "vmlinux")) != vmlinux {
		t.Error("with our tools vmlinux differs")
	}
	if read(t, filepath.Join(dir, "usr/gen_init_cpio")) != read(t, packer) {
		t.Error("kbuild has put its own gen_init_cpio back")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	write(t, to, read(t, from))
}
