// Package kernels_test lets depmod and modprobe judge the indexes of the kernels of a distribution.
package kernels_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// kernelOf returns the directory lib/modules/RELEASE that the packages in an environment variable
// have. It skips the test if the variable is not set.
func kernelOf(t *testing.T, variable string) (dir, release string) {
	t.Helper()
	var files []string
	for _, name := range strings.Fields(os.Getenv(variable)) {
		if !filepath.IsAbs(name) {
			var err error
			if name, err = runfiles.Rlocation(name); err != nil {
				t.Fatal(err)
			}
		}
		files = append(files, name)
	}
	if files == nil {
		t.Skipf("needs a kernel's packages: apt-get download linux-base-RELEASE linux-modules-RELEASE, and set %s to the files", variable)
	}
	root := t.TempDir()
	unpack(t, files, root)
	kernel, err := modules.FindKernel(root)
	if err != nil {
		t.Fatal(err)
	}
	return kernel.Dir, kernel.Release
}

// unpack writes the files of packages that are below lib/modules.
func unpack(t *testing.T, files []string, root string) {
	t.Helper()
	sources, err := source.Open(t.Context(), files, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sources.Close()
	for _, e := range sources.Entries {
		if at := list.CleanPath(e.Name); e.Kind == list.File && strings.Contains(at, "/modules/") {
			write(t, filepath.Join(root, at), func(w io.Writer) error {
				_, err := io.Copy(w, io.NewSectionReader(e.Content, 0, e.Content.Size()))
				return err
			})
		}
	}
}

func write(t *testing.T, name string, content func(io.Writer) error) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(content(file), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// kmod returns the path of a program of kmod, which is not always on PATH.
func kmod(t *testing.T, name string) string {
	t.Helper()
	for _, name := range []string{name, "/usr/sbin/" + name} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	t.Skipf("needs %s of kmod 34: apt-get install kmod", name)
	return ""
}

// compare compares the indexes of the modules of a kernel with what depmod makes of the directory,
// which is base/lib/modules/release.
func compare(t *testing.T, base, release string, tree *modules.Tree) {
	t.Helper()
	out := t.TempDir()
	text, err := exec.Command(kmod(t, "depmod"), "-C", t.TempDir(), "-b", base, "-m", "/lib/modules", "-o", out, release).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	count := 0
	err = modules.WriteIndexes(tree.Modules, tree.KernelFiles, func(name string, content []byte) error {
		count++
		want, err := os.ReadFile(filepath.Join(out, "lib/modules", release, name))
		if err == nil && !bytes.Equal(want, content) {
			t.Errorf("%s has %d bytes and differs from depmod's, which has %d", name, len(content), len(want))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if theirs, _ := filepath.Glob(filepath.Join(out, "lib/modules", release, "*")); len(theirs) != count {
		t.Errorf("%d indexes, want %q", count, theirs)
	}
}

// link makes base/lib/modules/release with the kernel's own files and links to some of its modules.
func link(t *testing.T, dir, release string, tree *modules.Tree) (base string) {
	t.Helper()
	base = t.TempDir()
	to := filepath.Join(base, "lib/modules", release)
	for _, m := range tree.Modules {
		file := filepath.Join(to, m.Path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.Symlink(filepath.Join(dir, m.Path), file)); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string][]byte{
		modules.OrderFile: tree.Order, modules.BuiltinFile: tree.Builtin, modules.BuiltinInfoFile: tree.BuiltinInfo,
	} {
		write(t, filepath.Join(to, name), func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
	}
	return base
}

// subsets is how many sets of modules of a kernel are compared besides all of them.
const subsets = 3

func TestIndexes(t *testing.T) {
	dir, release := kernelOf(t, "KERNEL_PACKAGES")
	tree, err := modules.ReadTree(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Modules) < 1000 {
		t.Errorf("%s has only %d modules", release, len(tree.Modules))
	}
	compare(t, link(t, dir, release, tree), release, tree)
	for seed := range uint64(subsets) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			var layers []*modules.LayerCatalog
			for layer := range 2 {
				some := slices.DeleteFunc(slices.Clone(tree.Modules), func(*modules.Module) bool { return r.IntN(40) > 0 })
				layers = append(layers, &modules.LayerCatalog{
					Origin: fmt.Sprint("//layer:", layer), Base: "lib/modules/" + release,
					Tree: &modules.Tree{KernelFiles: tree.KernelFiles, Modules: some},
				})
			}
			union, err := modules.MergeLayers(layers)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, link(t, dir, release, union.Tree), release, union.Tree)
		})
	}
	t.Run("laptop", func(t *testing.T) { testLaptop(t, dir, release, tree) })
}

// testLaptop chooses the modules for a laptop's devices. modprobe finds the same.
func testLaptop(t *testing.T, dir, release string, tree *modules.Tree) {
	if !strings.HasSuffix(release, "-amd64") {
		t.Skip("the devices are those of a laptop with an x86 processor")
	}
	content, err := os.ReadFile("testdata/laptop.modaliases")
	if err != nil {
		t.Fatal(err)
	}
	all, err := devices.Parse("laptop.modaliases", content)
	if err != nil {
		t.Fatal(err)
	}
	selection, err := modules.Choose(tree, modules.Request{Devices: all})
	if err != nil {
		t.Fatal(err)
	}
	base := link(t, dir, release, tree)
	if err := tree.Indexes(func(name string, content []byte) error {
		return os.WriteFile(filepath.Join(base, "lib/modules", release, name), content, 0o666)
	}); err != nil {
		t.Fatal(err)
	}
	program, config := kmod(t, "modprobe"), t.TempDir()
	var text strings.Builder
	for _, d := range selection.Devices {
		alias := d.Modaliases[0]
		names := append(slices.Clone(d.Modules), d.BuiltIn...)
		fmt.Fprintf(&text, "%s: %s\n", alias, strings.Join(names, " "))
		if len(d.Modules) > 0 {
			names = d.Modules // modprobe names what is built in only if there is nothing else
		}
		// Without any, modprobe fails.
		out, _ := exec.Command(program, "-C", config, "-d", base, "-S", release, "-R", alias).Output()
		want := strings.Fields(string(out))
		slices.Sort(want)
		if want = slices.Compact(want); !slices.Equal(names, want) {
			t.Errorf("%s: %q, modprobe has %q", alias, names, want)
		}
	}
	golden.Text(t, "laptop.txt", text.String())
}
