// Package from_scratch_test makes kernels from nothing, at another time and in another place: one
// that was linked out of what an earlier build had kept, and what is kept of that. They are the
// same.
package from_scratch_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
	"github.com/rules-initramfs/rules_initramfs/rules/tests/kernel/kerneltest"
)

const image = "arch/x86/boot/bzImage"

func TestFromScratch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deeper/", 5))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0o077))
	kerneltest.Run(t, dir, nil, "tar", "--extract", "--file="+kerneltest.Locate(t, "LINUX_SOURCE"), "--strip-components=1")
	source := files(t, dir)
	steps := configure(t, dir)
	build := func(target string) {
		t.Helper()
		kerneltest.Run(t, dir, []string{
			"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970", "KBUILD_BUILD_USER=bazel", "KBUILD_BUILD_HOST=bazel", "KBUILD_BUILD_VERSION=1",
			"TZ=Pacific/Auckland", "HOSTNAME=another", "USER=somebody", "LANG=de_DE.UTF-8",
		}, "make", "--silent", "--jobs="+strconv.Itoa(runtime.NumCPU()), "ARCH=x86_64",
			// What is kept has these.
			"KCPPFLAGS=-ffile-prefix-map="+dir+"="+kbuild.MappedDir, "HOSTCFLAGS=-ffile-prefix-map="+dir+"="+kbuild.MappedDir,
			"olddefconfig", target)
	}

	copyFile(t, kerneltest.Locate(t, "LINKED_CONFIG"), filepath.Join(dir, kbuild.ConfigFile))
	copyFile(t, kerneltest.Locate(t, "ARCHIVE"), filepath.Join(dir, kbuild.Archive))
	build("bzImage")
	kerneltest.Same(t, "vmlinux", filepath.Join(dir, "vmlinux"), kerneltest.Locate(t, "LINKED_VMLINUX"))
	kerneltest.Same(t, "image", filepath.Join(dir, image), kerneltest.Locate(t, "LINKED_IMAGE"))

	t.Run("kept", func(t *testing.T) {
		// As it was before anything was linked in.
		if err := os.Remove(filepath.Join(dir, kbuild.Archive)); err != nil {
			t.Fatal(err)
		}
		copyFile(t, kerneltest.Locate(t, "CONFIG"), filepath.Join(dir, kbuild.ConfigFile))
		build("bzImage")
		for name, variable := range map[string]string{
			"vmlinux": "VMLINUX", image: "IMAGE", kbuild.ConfigFile: "CONFIG", "System.map": "SYSTEM_MAP",
		} {
			kerneltest.Same(t, name, filepath.Join(dir, name), kerneltest.Locate(t, variable))
		}
		kerneltest.Same(t, "objects.tar.zst", objects(t, steps, source), kerneltest.Locate(t, "OBJECTS"))
	})
	t.Run("our tools", func(t *testing.T) { testOurTools(t, dir, build) })
}

// configure configures the kernel in a folder as the first build did, which leaves files of each
// configuration on the way.
func configure(t *testing.T, dir string) *kbuild.Build {
	t.Helper()
	arch, err := arch.Find("x86_64")
	if err != nil {
		t.Fatal(err)
	}
	build := &kbuild.Build{Dir: dir, Arch: arch, Toolchain: kbuild.Toolchain{Path: os.Getenv("PATH")}, Jobs: runtime.NumCPU(), Log: io.Discard}
	var fragments []config.Assignment
	for _, variable := range []string{"FRAGMENT", "FRAGMENT_X86_64"} {
		fragment, err := config.Read(kerneltest.Locate(t, variable))
		if err != nil {
			t.Fatal(err)
		}
		fragments = append(fragments, fragment...)
	}
	if err := build.Configure(context.Background(), "tinyconfig", "", fragments); err != nil {
		t.Fatal(err)
	}
	return build
}

// objects packs what another link needs of a build folder, and returns the file's name.
func objects(t *testing.T, build *kbuild.Build, source map[string]bool) string {
	t.Helper()
	if err := build.PrepareLink(context.Background()); err != nil {
		t.Fatal(err)
	}
	folder := &snapshot.Folder{Dir: build.Dir, Source: source, Image: build.Arch.Image, Tools: kbuild.Tools}
	names, _, err := folder.Prune()
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := snapshot.Pack(&packed, build.Dir, build.Arch.Name, names); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "objects.tar.zst")
	write(t, name, packed.String())
	return name
}

// files are the paths of what is below a folder, directories not among them.
func files(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names[name] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// testOurTools has an initramfs made from a list and a directory: with kbuild's own tools, and
// with ours in their place.
func testOurTools(t *testing.T, dir string, build func(target string)) {
	write(t, filepath.Join(dir, "files.list"), "dir /dev 0755 0 0\nnod /dev/console 0600 0 0 c 5 1\nfile /etc/motd tree/motd 0644 0 0 /etc/issue\n")
	write(t, filepath.Join(dir, "tree/motd"), "Welcome.\n")
	packer := kerneltest.Locate(t, "PACKER")
	write(t, filepath.Join(dir, "tree/bin/init"), read(t, packer)[:100_001])
	configuration := read(t, kerneltest.Locate(t, "LINKED_CONFIG"))
	write(t, filepath.Join(dir, kbuild.ConfigFile), strings.Replace(configuration,
		`CONFIG_INITRAMFS_SOURCE="`+kbuild.Archive+`"`, `CONFIG_INITRAMFS_SOURCE="files.list tree"`, 1))
	// What is linked in, without a kernel around it.
	build("usr/")
	theirs := []byte(read(t, filepath.Join(dir, "usr/initramfs_inc_data")))
	if len(theirs) < 10_000 {
		t.Fatalf("kbuild's tools make an initramfs of %d bytes", len(theirs))
	}

	copyFile(t, packer, filepath.Join(dir, "usr/gen_init_cpio"))
	if err := os.Chmod(filepath.Join(dir, "usr/gen_init_cpio"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "usr/gen_initramfs.sh"), "exec '"+packer+"' gen_initramfs \"$@\"\n")
	for _, name := range []string{"usr/initramfs_data.cpio", "usr/initramfs_inc_data"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	build("bzImage")
	if ours := kerneltest.Embedded(t, filepath.Join(dir, "vmlinux")); !bytes.Equal(ours, theirs) {
		t.Errorf("with our tools the kernel has an initramfs of %d bytes that are not the %d of its own tools", len(ours), len(theirs))
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
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	write(t, to, read(t, from))
}
