package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Names of the kernel's own files in lib/modules/RELEASE, which its build makes.
const (
	OrderFile       = "modules.order"
	BuiltinFile     = "modules.builtin"
	BuiltinInfoFile = "modules.builtin.modinfo"
)

// KernelFiles are the kernel's own files. Each is nil if it is not there.
type KernelFiles struct {
	// Order is modules.order: the paths of modules, with .ko, in the order in which modprobe
	// prefers those with the same alias.
	Order []byte
	// Builtin is modules.builtin: the paths of what is built in and could be a module.
	Builtin []byte
	// BuiltinInfo is modules.builtin.modinfo: texts of MODULE.KEY=VALUE, with a NUL after each.
	BuiltinInfo []byte
}

// Missing returns the names of the files that are not there.
func (k *KernelFiles) Missing() []string {
	var names []string
	for _, f := range k.files() {
		if *f.content == nil {
			names = append(names, f.name)
		}
	}
	return names
}

// Tree is what is below lib/modules/RELEASE.
type Tree struct {
	KernelFiles
	// Modules are in depmod's order: those in modules.order, and then the others in an order that
	// depends on their names only.
	Modules []*Module
	// Builtins are the modules that are built in, in the order of modules.builtin, and then what
	// only modules.builtin.modinfo names.
	Builtins []*Module
}

// Limits of a tree. Distributions' kernels have about 4,000 modules in 600 directories. depmod
// refuses 65,535 modules and more (depmod_modules_build_array in tools/depmod.c).
const (
	maxModules     = 1<<16 - 2
	maxDirectories = 1 << 16
	maxDepth       = 32
	maxKernelFile  = 16 << 20 // bytes of one of KernelFiles
)

// ErrTree means that the files of a kernel's modules do not fit together.
var ErrTree = errors.New("bad tree of modules")

// ReadTree reads a directory lib/modules/RELEASE. Like depmod, it follows symbolic links and does
// not look into directories that are named build or source. If two modules have the same name, one
// of them must be below updates, and the other is not in the result. Modules are read in parallel;
// the result, and the error about all files that are damaged, do not depend on how many at once.
func ReadTree(dir fs.FS) (*Tree, error) {
	paths, err := findModules(dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{}
	for name, content := range map[string]*[]byte{OrderFile: &t.Order, BuiltinFile: &t.Builtin, BuiltinInfoFile: &t.BuiltinInfo} {
		if *content, err = readKernelFile(dir, name); err != nil {
			return nil, err
		}
	}
	modules, err := readModules(dir, paths)
	if err != nil {
		return nil, err
	}
	return t, t.complete(modules)
}

// complete sets what follows from the files and modules.
func (t *Tree) complete(modules []*Module) (err error) {
	if modules, _, err = Shadow(modules); err != nil {
		return err
	}
	if t.Modules, err = Sort(modules, t.Order); err != nil {
		return err
	}
	for _, m := range t.Modules {
		if first := t.Modules[0]; m.Arch != first.Arch {
			return fmt.Errorf("%w: %s is for %v, and %s for %v: remove those of the other kernel", ErrArchitecture, first.Path, first.Arch, m.Path, m.Arch)
		}
	}
	t.Builtins, err = parseBuiltins(t.KernelFiles)
	return err
}

// readKernelFile reads one of the kernel's own files; nil if it is not there.
func readKernelFile(dir fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > maxKernelFile:
		return nil, fmt.Errorf("%s: %w: it has more than %d MiB", name, ErrTree, maxKernelFile>>20)
	}
	content, err := fs.ReadFile(dir, name)
	if content == nil && err == nil {
		content = []byte{}
	}
	return content, err
}

// findModules returns the paths of the modules below dir, sorted.
func findModules(dir fs.FS) ([]string, error) {
	var paths []string
	directories := 0
	var walk func(name string, depth int) error
	walk = func(name string, depth int) error {
		if directories++; depth > maxDepth || directories > maxDirectories {
			return fmt.Errorf("%s: %w: too many directories: does a symbolic link lead back?", name, ErrTree)
		}
		entries, err := fs.ReadDir(dir, name)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			file := path.Join(name, entry.Name())
			if entry.Name() == "build" || entry.Name() == "source" {
				continue
			}
			mode := entry.Type()
			if mode&fs.ModeSymlink != 0 {
				info, err := fs.Stat(dir, file)
				if err != nil {
					return err
				}
				mode = info.Mode()
			}
			switch {
			case mode.IsDir():
				if err := walk(file, depth+1); err != nil {
					return err
				}
			case !IsModule(file):
			case !mode.IsRegular():
				return fmt.Errorf("%s: %w: it is not a regular file", file, ErrNotModule)
			default:
				paths = append(paths, file)
			}
		}
		return nil
	}
	if err := walk(".", 0); err != nil {
		return nil, err
	}
	if len(paths) > maxModules {
		return nil, fmt.Errorf("%w: it has %d modules: depmod allows at most %d", ErrTree, len(paths), maxModules)
	}
	slices.Sort(paths)
	return paths, nil
}

// readModules reads modules in parallel.
func readModules(dir fs.FS, paths []string) ([]*Module, error) {
	modules := make([]*Module, len(paths))
	errs := make([]error, len(paths))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(paths)) {
		workers.Go(func() {
			var p parser
			for i := int(next.Add(1)) - 1; i < len(paths); i = int(next.Add(1)) - 1 {
				modules[i], errs[i] = p.readFile(dir, paths[i])
			}
		})
	}
	workers.Wait()
	return modules, errors.Join(errs...)
}

func (p *parser) readFile(dir fs.FS, name string) (*Module, error) {
	file, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return p.read(name, file)
}

// Shadow returns the modules without those that another one of the same name replaces, and those
// that are replaced. A module below updates replaces one elsewhere, as without a configuration of
// depmod. Which of two others depmod takes depends on the file system, so they are an error.
func Shadow(modules []*Module) (kept, replaced []*Module, err error) {
	isUpdate := func(m *Module) bool { return strings.HasPrefix(m.Path, "updates/") }
	byName := map[string]*Module{}
	for _, m := range modules {
		other := byName[m.Name]
		if other != nil && isUpdate(other) == isUpdate(m) {
			return nil, nil, fmt.Errorf("%w: %s and %s are both the module %s: remove one of them", ErrTree, other.Path, m.Path, m.Name)
		}
		if other == nil || isUpdate(m) {
			byName[m.Name] = m
		}
	}
	for _, m := range modules {
		if byName[m.Name] == m {
			kept = append(kept, m)
		} else {
			replaced = append(replaced, m)
		}
	}
	return kept, replaced, nil
}

// Listed is how modules.order and the modules of a tree differ. Neither is an error for depmod.
type Listed struct {
	// Missing are the lines of modules.order whose modules are not in the tree.
	Missing []string
	// Unlisted are the paths of modules that modules.order lacks.
	Unlisted []string
}

// Listed compares modules.order with the modules.
func (t *Tree) Listed() Listed {
	var l Listed
	there, listed := map[string]bool{}, map[string]bool{}
	for _, m := range t.Modules {
		there[m.orderPath()] = true
	}
	for line := range strings.Lines(string(t.Order)) {
		line = strings.TrimSuffix(line, "\n")
		listed[line] = true
		if !there[line] {
			l.Missing = append(l.Missing, line)
		}
	}
	for _, m := range t.Modules {
		if !listed[m.orderPath()] {
			l.Unlisted = append(l.Unlisted, m.Path)
		}
	}
	return l
}
