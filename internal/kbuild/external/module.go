package external

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// sourceDir is the directory for the source of modules, below the build directory. What compilers
// record of its path is therefore mapped like that of the kernel.
const sourceDir = "external"

// Errors of Module.
var (
	// ErrNoKbuild reports sources without a Kbuild file or Makefile.
	ErrNoKbuild = errors.New("no Kbuild file")
	// ErrNothing reports a Kbuild file that makes no module.
	ErrNothing = errors.New("kbuild made no module")
	// ErrSymbols reports symbols that nothing exports.
	ErrSymbols = errors.New("undefined symbols")
	// ErrVersions reports an exported symbol without a checksum.
	ErrVersions = errors.New("no checksum")
	// ErrVariable reports a variable that may not be set.
	ErrVariable = errors.New("bad variable")
)

// Module is what is compiled: one or more modules of one Kbuild file.
type Module struct {
	// Sources are the files by their paths, which are relative to a common directory.
	Sources map[string]string
	// ExtraSymbols are the lists of symbols (Module.symvers) that other modules export.
	ExtraSymbols []string
	// Variables are NAME=VALUE for make.
	Variables []string
	// Types adds type information (BTF) to modules if the kernel has it.
	Types bool
}

// Compile compiles a module in a build directory with a module tree. It returns the directory that
// has the modules and the list of the symbols that they export.
func (m *Module) Compile(ctx context.Context, b *kbuild.Build) (*Result, error) {
	if err := m.checkVariables(); err != nil {
		return nil, err
	}
	dir, err := m.kbuildDir()
	if err != nil {
		return nil, err
	}
	if err := m.copySources(b.Dir); err != nil {
		return nil, err
	}
	if !m.Types {
		// Without this file, kbuild reports that the type information is missing, and continues.
		if err := os.Remove(filepath.Join(b.Dir, vmlinux)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	args := []string{"M=" + filepath.Join(b.Dir, sourceDir, dir)}
	symbols, err := m.copySymbols(b.Dir)
	if err != nil {
		return nil, err
	}
	if len(symbols) > 0 {
		args = append(args, "KBUILD_EXTRA_SYMBOLS="+strings.Join(symbols, " "))
	}
	var printed bytes.Buffer
	run := *b
	run.Log = io.MultiWriter(b.Log, &printed)
	if err := run.Make(ctx, append(append(args, m.Variables...), "modules")...); err != nil {
		return nil, undefined(err)
	}
	if err := checkVersions(printed.String()); err != nil {
		return nil, err
	}
	return m.result(b.Dir, dir)
}

// symbolsDir is the directory for the symbols of other modules, below the build directory.
const symbolsDir = ".symvers"

// copySymbols copies the lists of symbols to where their paths are the same in each build, and have
// no white space, at which make would cut them. It returns the absolute paths.
func (m *Module) copySymbols(buildDir string) ([]string, error) {
	dir := filepath.Join(buildDir, symbolsDir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	var names []string
	for i, file := range m.ExtraSymbols {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := filepath.Join(dir, strconv.Itoa(i)+".symvers")
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// variable matches a variable that may be set.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ownVariables are set by this package, by package kbuild, or by the tree.
var ownVariables = []string{
	"ARCH", "CC", "CROSS_COMPILE", "HOSTCC", "HOSTCFLAGS", "KBUILD_EXTMOD", "KBUILD_EXTRA_SYMBOLS", "KBUILD_MODPOST_WARN",
	"KBUILD_OUTPUT", "KCPPFLAGS", "KERNELRELEASE", "LD", "LLVM", "M", "MAKEFLAGS", "MO", "O", "PATH", "SHELL", "SRCARCH", "TMPDIR", "srctree", "objtree",
}

func (m *Module) checkVariables() error {
	for _, v := range m.Variables {
		name, _, ok := strings.Cut(v, "=")
		switch {
		case !ok || !variable.MatchString(name):
			return fmt.Errorf("%w %q: want NAME=VALUE, with letters, digits and _ in NAME", ErrVariable, v)
		case slices.Contains(ownVariables, name):
			return fmt.Errorf("%w %s: it belongs to the build of the kernel: leave it out", ErrVariable, name)
		}
	}
	return nil
}

// kbuildDir returns the directory of the topmost Kbuild file or Makefile.
func (m *Module) kbuildDir() (string, error) {
	found := map[string]bool{}
	for name := range m.Sources {
		if base := path.Base(name); base == "Kbuild" || base == "Makefile" {
			found[path.Dir(path.Clean(name))] = true
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%w among the sources: add the file Kbuild or Makefile that has obj-m", ErrNoKbuild)
	}
	level := func(dir string) int {
		if dir == "." {
			return 0
		}
		return strings.Count(dir, "/") + 1
	}
	var top []string
	for dir := range found {
		if len(top) > 0 && level(dir) < level(top[0]) {
			top = nil
		}
		if len(top) == 0 || level(dir) == level(top[0]) {
			top = append(top, dir)
		}
	}
	if len(top) > 1 {
		slices.Sort(top)
		return "", fmt.Errorf("%w is above the others: they are in %s: make one target for each, or add one above them", ErrNoKbuild, printable.Text(strings.Join(top, " and ")))
	}
	return top[0], nil
}

func (m *Module) copySources(buildDir string) error {
	dir := filepath.Join(buildDir, sourceDir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, file := range m.Sources {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		// A Makefile may run scripts that are among the sources.
		if err := root.WriteFile(name, content, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// missing matches what scripts/mod/modpost.c prints for a symbol that nothing exports.
var missing = regexp.MustCompile(`(?m)^ERROR: modpost: "([^"\n]+)" \[([^\]\n]+)\] undefined!$`)

// undefined returns an error of kbuild, or for one that is about undefined symbols one that names
// them and the modules.
func undefined(err error) error {
	failure, ok := errors.AsType[*kbuild.Failure](err)
	if !ok {
		return err
	}
	symbols := missing.FindAllStringSubmatch(failure.Output, -1)
	if len(symbols) == 0 {
		return err
	}
	var errs []error
	for _, s := range symbols {
		name := strings.TrimSuffix(path.Base(s[2]), ".ko") + ".ko"
		errs = append(errs, printable.Block(fmt.Errorf("%w: %s uses %s, which neither the kernel nor a module that it depends on exports: add the module that exports it to what it depends on, or enable the option of the kernel that does", ErrSymbols, name, s[1])))
	}
	return errors.Join(errs...)
}

// unversioned matches what scripts/mod/modpost.c prints for an exported symbol without a checksum.
var unversioned = regexp.MustCompile(`(?m)^WARNING: modpost: EXPORT symbol "([^"\n]+)" \[([^\]\n]+)\] version generation failed`)

// checkVersions returns an error if an exported symbol has no checksum. kbuild only warns, and a
// kernel with CONFIG_MODVERSIONS then loads the modules that use it without a check.
func checkVersions(printed string) error {
	var errs []error
	for _, s := range unversioned.FindAllStringSubmatch(printed, -1) {
		errs = append(errs, printable.Block(fmt.Errorf("%w: %s exports %s, whose type kbuild cannot read: declare it in a header, which for assembler is asm/asm-prototypes.h", ErrVersions, path.Base(s[2]), s[1])))
	}
	return errors.Join(errs...)
}

// Result is what a build has made.
type Result struct {
	// Modules are the files of the modules.
	Modules []string
	// Symvers is the content of the list of the symbols that they export.
	Symvers []byte
}

func (m *Module) result(buildDir, dir string) (*Result, error) {
	r := &Result{}
	top := filepath.Join(buildDir, sourceDir)
	byName := map[string]string{}
	err := fs.WalkDir(os.DirFS(top), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || path.Ext(name) != ".ko" || m.Sources[name] != "" {
			return err
		}
		base := path.Base(name)
		if other := byName[base]; other != "" {
			return fmt.Errorf("%s and %s are both the module %s: give one of them another name", printable.Text(other), printable.Text(name), printable.Text(base))
		}
		byName[base] = name
		r.Modules = append(r.Modules, filepath.Join(top, name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(r.Modules) == 0 {
		return nil, fmt.Errorf("%w: has %s a line such as obj-m := NAME.o?", ErrNothing, printable.Text(path.Join(dir, "Kbuild")))
	}
	if r.Symvers, err = os.ReadFile(filepath.Join(top, dir, Symvers)); err != nil {
		return nil, err
	}
	// Old kernels have absolute paths there.
	r.Symvers = bytes.ReplaceAll(r.Symvers, []byte(top+"/"), nil)
	return r, nil
}
