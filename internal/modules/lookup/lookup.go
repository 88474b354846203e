// Package lookup answers what a kernel's module directory, /lib/modules/RELEASE, has:
// which file a module is in, which modules it needs, and which modules serve a device.
// It reads the text indexes that depmod writes (modules.dep(5)), and imports little,
// because the init of each image has it.
package lookup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/aliases"
	"github.com/rules-initramfs/rules_initramfs/internal/near"
)

// The indexes that are read. All but the first may be missing.
const (
	depFile     = "modules.dep"
	aliasFile   = "modules.alias"
	softdepFile = "modules.softdep"
	builtinFile = "modules.builtin"
	modinfoFile = "modules.builtin.modinfo"
)

// maxIndex is the most bytes that an index may have. Debian's largest has 1.5 MB.
const maxIndex = 64 << 20

// A Module is a module that is a file.
type Module struct {
	Name    string   // with _ for each -
	File    string   // the path of its file
	Depends []string // the names of all modules that it needs, the first to load at the end
}

// Softdeps are the modules to load before and after a module, if they exist. They are
// names or aliases.
type Softdeps struct {
	Pre, Post []string
}

// An Index is what a module directory has. Its methods may be called concurrently.
type Index struct {
	// Ordered reports whether the index knows what each module needs. If not, there is
	// no modules.dep, and its modules are the files below the directory.
	Ordered bool

	dir      string
	modules  map[string]Module
	builtin  map[string]bool
	softdeps map[string]Softdeps
	aliases  func() (*Aliases, error)
}

// Open reads the indexes of a module directory. It reads modules.alias when an alias is
// first looked up. A directory that does not exist has no modules.
func Open(dir string) (*Index, error) {
	x := &Index{dir: dir, modules: map[string]Module{}, builtin: map[string]bool{}, softdeps: map[string]Softdeps{}, Ordered: true}
	x.aliases = sync.OnceValues(func() (*Aliases, error) { return readAliases(filepath.Join(dir, aliasFile)) })
	text, err := readIndex(filepath.Join(dir, depFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.Ordered = false
		err = x.walk(dir)
	case err == nil:
		err = x.parseDep(dir, text)
	}
	if err != nil {
		return nil, err
	}
	if text, err = readOptional(filepath.Join(dir, softdepFile)); err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		if name, deps, ok := ParseSoftdep(line); ok {
			x.softdeps[name] = x.softdeps[name].Add(deps)
		}
	}
	if text, err = readOptional(filepath.Join(dir, builtinFile)); err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		if name, ok := FileModule(strings.TrimSpace(line)); ok {
			x.builtin[name] = true
		}
	}
	return x, nil
}

// readOptional returns the text of an index, or none if there is no such file.
func readOptional(name string) (string, error) {
	text, err := readIndex(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return text, err
}

func readIndex(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Size() > maxIndex {
		return "", fmt.Errorf("%s: it has more than %d bytes: run depmod again", name, maxIndex)
	}
	text, err := os.ReadFile(name)
	return string(text), err
}

// parseDep reads modules.dep. Each line is a module's file, a colon, and the files of
// the modules that it needs, directly or not, the first to load at the end
// (output_deps of kmod's tools/depmod.c). Paths are relative to dir, or absolute. In busybox's depmod the order
// is the same.
func (x *Index) parseDep(dir, text string) error {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		file, rest, ok := strings.Cut(line, ":")
		name, isModule := FileModule(file)
		if !ok || !isModule || !filepath.IsAbs(file) && !filepath.IsLocal(file) {
			return fmt.Errorf("%s:%d: %q does not begin with the path of a module and a colon: run depmod again", filepath.Join(dir, depFile), number, line)
		}
		m := Module{Name: name, File: file}
		if !filepath.IsAbs(file) {
			m.File = filepath.Join(dir, file)
		}
		for _, need := range strings.Fields(rest) {
			needed, ok := FileModule(need)
			if !ok {
				return fmt.Errorf("%s:%d: %q is not the path of a module: run depmod again", filepath.Join(dir, depFile), number, need)
			}
			m.Depends = append(m.Depends, needed)
		}
		if _, ok := x.modules[name]; !ok {
			x.modules[name] = m
		}
	}
	return nil
}

// walk finds the modules below a directory that has no modules.dep.
func (x *Index) walk(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if name, ok := FileModule(path); ok {
			if _, ok := x.modules[name]; !ok {
				x.modules[name] = Module{Name: name, File: path}
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// suffixes are the ends of the names of module files, of what kernels are built with
// (CONFIG_MODULE_COMPRESS).
var suffixes = []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// FileModule returns the name of the module that a file has, by the file's name, and
// reports whether it is the name of a module's file.
func FileModule(file string) (name string, ok bool) {
	base := file[strings.LastIndexByte(file, '/')+1:]
	for _, suffix := range suffixes {
		if name, ok := strings.CutSuffix(base, suffix); ok && name != "" {
			return Name(name), true
		}
	}
	return "", false
}

// Name returns a module's name as the kernel shows it: with _ for each -.
func Name(name string) string { return strings.ReplaceAll(name, "-", "_") }

// Module returns the module of a name, in which - and _ are the same, and reports
// whether there is one.
func (x *Index) Module(name string) (Module, bool) {
	m, ok := x.modules[Name(name)]
	return m, ok
}

// Modules returns how many modules are files.
func (x *Index) Modules() int { return len(x.modules) }

// Builtin reports whether the module of a name is part of the kernel.
func (x *Index) Builtin(name string) bool { return x.builtin[Name(name)] }

// Softdeps returns what modules.softdep has for a module.
func (x *Index) Softdeps(name string) Softdeps { return x.softdeps[Name(name)] }

// Serving returns the names of the modules that have an alias which matches: a device's
// modalias, or a name by which the kernel asks for a module, such as "fs-ext4". It
// returns all, in the order of modules.alias, as modprobe loads all.
func (x *Index) Serving(alias string) ([]string, error) {
	all, err := x.aliases()
	if err != nil {
		return nil, err
	}
	return all.Match(alias), nil
}

// ServedByKernel reports whether an alias is that of a module that is part of the kernel.
// The file has "MODULE.alias=PATTERN" and others, each with a zero byte at its end
// (scripts/Makefile.vmlinux of the kernel).
func (x *Index) ServedByKernel(alias string) (bool, error) {
	text, err := readOptional(filepath.Join(x.dir, modinfoFile))
	if err != nil {
		return false, err
	}
	for info := range strings.SplitSeq(text, "\x00") {
		_, rest, _ := strings.Cut(info, ".")
		if pattern, ok := strings.CutPrefix(rest, "alias="); ok && aliases.Matches(pattern, alias) {
			return true, nil
		}
	}
	return false, nil
}

// nearest is how many names Near returns at most.
const nearest = 3

// Near returns names of modules that a misspelled name may mean, the nearest first.
func (x *Index) Near(name string) []string {
	names := slices.Collect(maps.Keys(x.modules))
	return near.Names(name, slices.AppendSeq(names, maps.Keys(x.builtin)), nearest)
}

// ParseSoftdep reads a line "softdep NAME pre: NAME... post: NAME...", of
// modules.softdep or modprobe.d(5). Like kmod, it ignores names before the first of the
// two words.
func ParseSoftdep(line string) (name string, deps Softdeps, ok bool) {
	words := strings.Fields(line)
	if len(words) < 3 || words[0] != "softdep" {
		return "", Softdeps{}, false
	}
	var list *[]string
	for _, word := range words[2:] {
		switch {
		case word == "pre:":
			list = &deps.Pre
		case word == "post:":
			list = &deps.Post
		case list != nil:
			*list = append(*list, word)
		}
	}
	return Name(words[1]), deps, true
}

// Add returns s and other together.
func (s Softdeps) Add(other Softdeps) Softdeps {
	return Softdeps{Pre: slices.Concat(s.Pre, other.Pre), Post: slices.Concat(s.Post, other.Post)}
}
