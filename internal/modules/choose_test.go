package modules

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is how many modules there are for each one that modprobe is asked about.
const sample = 30

// TestModprobe compares what is chosen for modules and aliases of real kernels with what
// modprobe would load.
func TestModprobe(t *testing.T) {
	for _, dir := range moduleTrees(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			tree, err := ReadTree(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			m := newModprobe(t, dir, tree)
			for i, module := range tree.Modules {
				// Each run of modprobe takes time: some modules, and those with softdeps.
				if i%sample == 0 || module.Info.Value("softdep") != "" {
					m.compare(module.Name)
				}
			}
			for i, alias := range devicesOf(tree) {
				if i%(10*sample) == 0 {
					m.resolve(alias)
				}
			}
			for i, module := range tree.Builtins {
				if i%sample == 0 && module.Path != "" {
					m.compare(module.Name)
				}
			}
		})
	}
}

// modprobe is the program, on a directory with a kernel's modules.
type modprobe struct {
	t                     *testing.T
	program, base, config string
	// kernel has no weakdeps, which modprobe does not load, and of each module only the first
	// softdep, as the only one that modprobe reads.
	kernel *lookup
}

func newModprobe(t *testing.T, dir string, tree *Tree) modprobe {
	t.Helper()
	program, err := exec.LookPath("modprobe")
	if err != nil {
		t.Skip("needs modprobe of kmod 34 on PATH")
	}
	base := t.TempDir()
	to := filepath.Join(base, "lib/modules", release)
	if err := os.MkdirAll(to, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "kernel"), filepath.Join(to, "kernel")); err != nil {
		t.Fatal(err)
	}
	err = WriteIndexes(tree.Modules, tree.KernelFiles, func(name string, content []byte) error {
		return os.WriteFile(filepath.Join(to, name), content, 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
	bare := &Tree{KernelFiles: tree.KernelFiles, Builtins: tree.Builtins}
	for _, m := range tree.Modules {
		without, softdeps := *m, 0
		without.Info = slices.DeleteFunc(slices.Clone(m.Info), func(f Field) bool {
			if f.Key == "softdep" {
				softdeps++
			}
			return f.Key == "weakdep" || f.Key == "softdep" && softdeps > 1
		})
		bare.Modules = append(bare.Modules, &without)
	}
	return modprobe{t, program, base, t.TempDir(), newLookup(bare)}
}

func (m modprobe) run(args ...string) []string {
	m.t.Helper()
	args = append([]string{"-C", m.config, "-d", m.base, "-S", release}, args...)
	text, err := exec.Command(m.program, args...).Output()
	if err != nil {
		return []string{"error"}
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// compare compares the modules that modprobe would load for a word with those that are chosen.
func (m modprobe) compare(word string) {
	m.t.Helper()
	var want []string
	for _, line := range m.run("--show-depends", word) {
		// insmod FILE [PARAMETERS], or builtin NAME
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "insmod" {
			want = append(want, Name(fields[1]))
		}
	}
	m.same("closure of "+word, want, m.choose(word))
}

func (m modprobe) choose(word string) (names []string) {
	m.t.Helper()
	s, err := m.kernel.choose(Request{Words: []string{word}})
	if err != nil {
		m.t.Errorf("%s: %v", word, err)
		return nil
	}
	for _, chosen := range s.Modules {
		names = append(names, chosen.Name)
	}
	return names
}

// resolve compares the modules that have an alias.
func (m modprobe) resolve(alias string) {
	m.t.Helper()
	var names []string
	modules, builtin, _ := m.kernel.resolve(alias)
	if len(modules) == 0 {
		modules = builtin
	}
	for _, module := range modules {
		names = append(names, module.Name)
	}
	m.same("modules of "+alias, m.run("-R", alias), names)
}

func (m modprobe) same(what string, want, got []string) {
	m.t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	if want, got = slices.Compact(want), slices.Compact(got); !slices.Equal(want, got) {
		m.t.Errorf("%s: %q, modprobe has %q", what, got, want)
	}
}

// devicesOf returns a modalias that each pattern of a tree's aliases matches.
func devicesOf(tree *Tree) []string {
	var all []string
	for _, m := range slices.Concat(tree.Modules, tree.Builtins) {
		for _, alias := range m.Info.Aliases() {
			if !strings.ContainsAny(alias, "[]\\") {
				all = append(all, strings.NewReplacer("*", "0", "?", "1").Replace(alias))
			}
		}
	}
	return all
}
