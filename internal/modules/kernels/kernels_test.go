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

// subsets is how many sets of modules of a kernel are compared besides all of them: a hundred of
// three kernels.
const subsets = 34

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
	t.Run("closure", func(t *testing.T) { testClosure(t, dir, release, tree) })
	if strings.HasSuffix(release, "-amd64") { // the laptop has an x86 CPU
		t.Run("laptop", func(t *testing.T) { testLaptop(t, dir, release, tree) })
	}
}

// modprobe is the program, on a directory with the modules of a kernel.
type modprobe struct{ program, base, config, release string }

func newModprobe(t *testing.T, dir, release string, tree *modules.Tree) modprobe {
	t.Helper()
	m := modprobe{kmod(t, "modprobe"), link(t, dir, release, tree), t.TempDir(), release}
	err := tree.Indexes(func(name string, content []byte) error {
		return os.WriteFile(filepath.Join(m.base, "lib/modules", release, name), content, 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// run returns the words that modprobe prints. It prints none, and fails, if it finds nothing.
func (m modprobe) run(args ...string) []string {
	out, _ := exec.Command(m.program, append([]string{"-C", m.config, "-d", m.base, "-S", m.release}, args...)...).Output()
	return strings.Fields(string(out))
}

// same compares names with those that modprobe has.
func (m modprobe) same(t *testing.T, what string, names, want []string) {
	t.Helper()
	names, want = slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(want))
	if names, want = slices.Compact(names), slices.Compact(want); !slices.Equal(names, want) {
		t.Errorf("%s: %q, modprobe has %q", what, names, want)
	}
}

// sample is how many modules there are for each one that modprobe is asked about.
const sample = 100

// testClosure compares what is chosen for modules and aliases with what modprobe would load.
func testClosure(t *testing.T, dir, release string, tree *modules.Tree) {
	m := newModprobe(t, dir, release, tree)
	bare := withoutWeakdeps(tree)
	for i, module := range slices.Concat(tree.Modules, tree.Builtins) {
		if i%sample != 0 && module.Info.Value("softdep") == "" || module.Path == "" {
			continue
		}
		selection, err := modules.Choose(bare, modules.Request{Words: []string{module.Name}})
		if err != nil {
			t.Errorf("%s: %v", module.Name, err)
			continue
		}
		var names, want []string
		for _, chosen := range selection.Modules {
			names = append(names, chosen.Name)
		}
		// A line is "insmod FILE [PARAMETERS]", or "builtin NAME".
		insmod := false
		for _, word := range m.run("--show-depends", module.Name) {
			if insmod {
				want = append(want, modules.Name(word))
			}
			insmod = word == "insmod"
		}
		m.same(t, module.Name, names, want)
	}
}

// withoutWeakdeps returns a tree without weakdeps, which modprobe does not load, and with the first
// softdep of each module, as the only one that modprobe reads.
func withoutWeakdeps(tree *modules.Tree) *modules.Tree {
	bare := *tree
	bare.Modules = nil
	for _, m := range tree.Modules {
		without, softdeps := *m, 0
		without.Info = slices.DeleteFunc(slices.Clone(m.Info), func(f modules.Field) bool {
			if f.Key == "softdep" {
				softdeps++
			}
			return f.Key == "weakdep" || f.Key == "softdep" && softdeps > 1
		})
		bare.Modules = append(bare.Modules, &without)
	}
	return &bare
}

// laptopRelease is the kernel whose modules for the laptop are listed in testdata.
const laptopRelease = "7.2.12+deb14-amd64"

// testLaptop chooses the modules for a laptop's devices. modprobe finds the same.
func testLaptop(t *testing.T, dir, release string, tree *modules.Tree) {
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
	m := newModprobe(t, dir, release, tree)
	var text strings.Builder
	for _, d := range selection.Devices {
		alias := d.Modaliases[0]
		names := append(slices.Clone(d.Modules), d.BuiltIn...)
		fmt.Fprintf(&text, "%s: %s\n", alias, strings.Join(names, " "))
		if len(d.Modules) > 0 {
			names = d.Modules // modprobe names what is built in only if there is nothing else
		}
		m.same(t, alias, names, m.run("-R", alias))
	}
	if release != laptopRelease {
		t.Logf("the golden list of modules is that of %s", laptopRelease)
		return
	}
	golden.Text(t, "laptop.txt", text.String())
}
