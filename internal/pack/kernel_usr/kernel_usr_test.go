// Package kernel_usr_test lets the kernel's build make its built-in archive, by
// usr/Makefile, with its own tools and with ours in their place: it is the same.
package kernel_usr_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// file returns the absolute path of the file that a variable names; ok is false
// if it is not set.
func file(t *testing.T, variable string) (name string, ok bool) {
	t.Helper()
	if name = os.Getenv(variable); name == "" {
		return "", false
	}
	if !filepath.IsAbs(name) {
		var err error
		if name, err = runfiles.Rlocation(name); err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		if name, err = filepath.Abs(name); err != nil {
			t.Fatal(err)
		}
	}
	return name, true
}

// packer returns the path of the packer: what PACKER names, or else what the go
// command builds.
func packer(t *testing.T) string {
	t.Helper()
	if name, ok := file(t, "PACKER"); ok {
		return name
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("needs the packer: set PACKER; %v", err)
	}
	name := filepath.Join(t.TempDir(), "packer")
	cmd := exec.Command("go", "build", "-o", name, "github.com/rules-initramfs/rules_initramfs/tools/packer")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return name
}

// kernel is a part of the kernel's source: usr, and what runs its Makefile.
type kernel struct{ dir string }

func newKernel(t *testing.T) *kernel {
	t.Helper()
	source, ok := file(t, "LINUX_SOURCE")
	if !ok {
		t.Skip("needs the kernel's source: set LINUX_SOURCE to its tar archive")
	}
	for _, program := range []string{"make", "cc", "gzip", "find"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	k := &kernel{t.TempDir()}
	run(t, k.dir, nil, "tar", "--extract", "--file="+source, "--strip-components=1", "--wildcards", "--no-wildcards-match-slash",
		"*/usr", "*/scripts/Makefile*", "*/scripts/Kbuild.include", "*/scripts/basic", "*/scripts/include")
	// The rules of the kernel's build keep with it what they depend on.
	run(t, k.dir, nil, "cc", "-O2", "-Iscripts/include", "-o", "scripts/basic/fixdep", "scripts/basic/fixdep.c")

	k.write(t, "files.list", "dir /dev 0755 0 0\nnod /dev/console 0600 0 0 c 5 1\nfile /from/list tree/b 0644 1000 0 /link1 /link2\n")
	k.write(t, "tree/b", "content\n")
	k.write(t, "tree/a-1", "")
	k.write(t, "tree/a/nested/file", strings.Repeat("x", 5001))
	if err := os.Symlink("a/nested", filepath.Join(k.dir, "tree/link")); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kernel) write(t *testing.T, name, content string) {
	t.Helper()
	name = filepath.Join(k.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (k *kernel) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// make runs usr/Makefile as the kernel's own Makefile does, and returns what it
// prints: each command that runs.
func (k *kernel) make(t *testing.T) string {
	t.Helper()
	return run(t, k.dir, []string{
		"srctree=.", "objtree=.", "srcroot=.", "CONFIG_SHELL=sh", "HOSTCC=cc", "KBUILD_HOSTCFLAGS=-O2", "KGZIP=gzip",
		"KBUILD_BUILD_TIMESTAMP=Tue Nov 14 22:13:20 UTC 2023", "quiet=", "Q=", "MAKEFLAGS=",
	}, "make", "-rR", "-f", "scripts/Makefile.build", "obj=usr", "usr/initramfs_inc_data")
}

// results are the archive, compressed too, and make's list of what is in it.
var results = []string{"usr/initramfs_data.cpio", "usr/initramfs_inc_data", "usr/.initramfs_data.cpio.d"}

// archive removes the results, and lets the build make them again.
func (k *kernel) archive(t *testing.T) map[string]string {
	t.Helper()
	for _, name := range results {
		if err := os.RemoveAll(filepath.Join(k.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	k.make(t)
	made := map[string]string{}
	for _, name := range results {
		made[name] = k.read(t, name)
	}
	return made
}

func run(t *testing.T, dir string, env []string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s%s", command, err, out, stderr.Bytes())
	}
	return string(out)
}

func TestKernelBuild(t *testing.T) {
	ours := packer(t)
	k := newKernel(t)
	binary, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	configs := map[string]string{ // as in include/config/auto.conf
		"the default list":   "",
		"a list":             "CONFIG_INITRAMFS_SOURCE=files.list\n",
		"a directory":        "CONFIG_INITRAMFS_SOURCE=tree\n",
		"both, and an owner": "CONFIG_INITRAMFS_SOURCE=files.list tree\nCONFIG_INITRAMFS_ROOT_UID=1000\nCONFIG_INITRAMFS_ROOT_GID=0\n",
		"squashed owners":    "CONFIG_INITRAMFS_SOURCE=tree\nCONFIG_INITRAMFS_ROOT_UID=squash\nCONFIG_INITRAMFS_ROOT_GID=squash\n",
	}
	configure := func(config string) {
		k.write(t, "include/config/auto.conf", "CONFIG_BLK_DEV_INITRD=y\nCONFIG_INITRAMFS_COMPRESSION_GZIP=y\n"+config)
	}
	want := map[string]map[string]string{}
	for name, config := range configs {
		configure(config)
		want[name] = k.archive(t)
	}

	// Each is replaced on its own.
	tool, script := k.read(t, "usr/gen_init_cpio"), k.read(t, "usr/gen_initramfs.sh")
	for _, replaced := range []struct{ name, tool, script string }{
		{"usr/gen_init_cpio", string(binary), script},
		// The build runs it by its shell, which runs no programs given as a script.
		{"usr/gen_initramfs.sh", tool, "exec '" + ours + "' gen_initramfs \"$@\"\n"},
	} {
		t.Run(replaced.name, func(t *testing.T) {
			k.write(t, "usr/gen_init_cpio", replaced.tool)
			k.write(t, "usr/gen_initramfs.sh", replaced.script)
			for name, config := range configs {
				configure(config)
				for file, content := range k.archive(t) {
					if content != want[name][file] {
						t.Errorf("%s: %s has %d bytes other than the %d that the kernel's tools make", name, file, len(content), len(want[name][file]))
					}
				}
			}
			if k.read(t, "usr/gen_init_cpio") != replaced.tool || k.read(t, "usr/gen_initramfs.sh") != replaced.script {
				t.Fatal("the build has put its own tool back")
			}

			// The build knows by our list when to do it again.
			configure(configs["a directory"])
			k.archive(t)
			if out := k.make(t); strings.Contains(out, "GEN") {
				t.Errorf("nothing has changed, and it is made again:\n%s", out)
			}
			k.write(t, "tree/b", replaced.name)
			if out := k.make(t); !strings.Contains(out, "GEN") {
				t.Errorf("a file has changed, and the archive is not made again:\n%s", out)
			}
			if !strings.Contains(k.read(t, "usr/initramfs_data.cpio"), replaced.name) {
				t.Error("the archive has not what was changed")
			}
			k.write(t, "tree/b", "content\n")
		})
	}
}
