// Package from_scratch_test compiles, from scratch, a kernel that the rules linked from the objects of
// an earlier build, and these objects. It does so later and in another directory. The results are the
// same.
package from_scratch_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
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
	run(t, dir, nil, "tar", "--extract", "--file="+kerneltest.Locate(t, "LINUX_SOURCE"), "--strip-components=1")
	source := files(t, dir)
	steps := configure(t, dir)
	build := func(target string) {
		t.Helper()
		run(t, dir, []string{
			"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970", "KBUILD_BUILD_USER=bazel", "KBUILD_BUILD_HOST=bazel", "KBUILD_BUILD_VERSION=1",
			"TZ=Pacific/Auckland", "HOSTNAME=another", "USER=somebody", "LANG=de_DE.UTF-8",
		}, "make", "--silent", "--jobs="+strconv.Itoa(runtime.NumCPU()), "ARCH=x86_64",
			// The kept objects were built with these.
			"KCPPFLAGS=-ffile-prefix-map="+dir+"="+kbuild.MappedDir, "HOSTCFLAGS=-ffile-prefix-map="+dir+"="+kbuild.MappedDir,
			"olddefconfig", target)
	}

	write(t, filepath.Join(dir, kbuild.ConfigFile), read(t, kerneltest.Locate(t, "LINKED_CONFIG")))
	write(t, filepath.Join(dir, kbuild.Archive), read(t, kerneltest.Locate(t, "ARCHIVE")))
	build("bzImage")
	same(t, "vmlinux", filepath.Join(dir, "vmlinux"), kerneltest.Locate(t, "LINKED_VMLINUX"))
	same(t, "image", filepath.Join(dir, image), kerneltest.Locate(t, "LINKED_IMAGE"))

	t.Run("objects", func(t *testing.T) {
		// Restore the state before the link.
		if err := os.Remove(filepath.Join(dir, kbuild.Archive)); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, kbuild.ConfigFile), read(t, kerneltest.Locate(t, "CONFIG")))
		build("bzImage")
		for name, variable := range map[string]string{
			"vmlinux": "VMLINUX", image: "IMAGE", kbuild.ConfigFile: "CONFIG", "System.map": "SYSTEM_MAP",
		} {
			same(t, name, filepath.Join(dir, name), kerneltest.Locate(t, variable))
		}
		same(t, "objects.tar.zst", objects(t, steps, source), kerneltest.Locate(t, "OBJECTS"))
	})
	t.Run("packer", func(t *testing.T) { testPacker(t, dir, build) })
}

// configure configures the kernel in a directory in the steps of the first build, because each step
// leaves files.
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

// objects packs what another link needs of a build directory, and returns the name of the file.
func objects(t *testing.T, build *kbuild.Build, source map[string]bool) string {
	t.Helper()
	if err := build.PrepareLink(context.Background()); err != nil {
		t.Fatal(err)
	}
	buildDir := &snapshot.BuildDir{Dir: build.Dir, Source: source, Image: build.Arch.Image, Tools: kbuild.Tools}
	names, _, err := buildDir.Prune()
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := snapshot.Pack(&packed, snapshot.Objects, build.Dir, build.Arch.Name, names); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "objects.tar.zst")
	write(t, name, packed.String())
	return name
}

// files returns the paths of all files below a directory.
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

// testPacker makes an initramfs from a list and a directory, first with the tools of kbuild and then
// with the packer in their place.
func testPacker(t *testing.T, dir string, build func(target string)) {
	write(t, filepath.Join(dir, "files.list"), "dir /dev 0755 0 0\nnod /dev/console 0600 0 0 c 5 1\nfile /etc/motd tree/motd 0644 0 0 /etc/issue\n")
	write(t, filepath.Join(dir, "tree/motd"), "Welcome.\n")
	packer := kerneltest.Locate(t, "PACKER")
	write(t, filepath.Join(dir, "tree/bin/init"), read(t, packer)[:100_001])
	configuration := read(t, kerneltest.Locate(t, "LINKED_CONFIG"))
	write(t, filepath.Join(dir, kbuild.ConfigFile), strings.Replace(configuration,
		`CONFIG_INITRAMFS_SOURCE="`+kbuild.Archive+`"`, `CONFIG_INITRAMFS_SOURCE="files.list tree"`, 1))
	// Make only the initramfs.
	build("usr/")
	want := []byte(read(t, filepath.Join(dir, "usr/initramfs_inc_data")))
	if len(want) < 10_000 {
		t.Fatalf("the initramfs of kbuild's tools has only %d bytes", len(want))
	}

	write(t, filepath.Join(dir, "usr/gen_init_cpio"), read(t, packer))
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
	if got := kerneltest.Embedded(t, filepath.Join(dir, "vmlinux")); !bytes.Equal(got, want) {
		t.Errorf("the packer's initramfs of %d bytes differs from the one of kbuild's tools, %d bytes", len(got), len(want))
	}
	if read(t, filepath.Join(dir, "usr/gen_init_cpio")) != read(t, packer) {
		t.Error("kbuild has restored its own gen_init_cpio")
	}
}

// run runs a command in a directory, with these environment variables in addition to the test's.
func run(t *testing.T, dir string, env []string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		const longest = 5000 // bytes
		t.Fatalf("%q: %v:\n%s", command, err, out[max(0, len(out)-longest):])
	}
}

// same checks that two files are the same. If they differ, the first one is kept in the test's
// undeclared outputs.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	one, two := read(t, got), read(t, want)
	if one == two {
		return
	}
	t.Errorf("%s: the file has %d bytes and differs from the wanted one, %d bytes", what, len(one), len(two))
	if dir := os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"); dir != "" {
		write(t, filepath.Join(dir, what), one)
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
