package snapshot

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Folder is a build folder, source and objects together.
type Folder struct {
	// Dir is where it is, absolute.
	Dir string
	// Source are the paths of what was unpacked, below Dir. All else was made.
	Source map[string]bool
	// Image is the path of the image.
	Image string
	// Tools are the folders of programs that make need not look into: the program in one has
	// its name and is all that is kept of it.
	Tools []string
	// Modules tells whether to keep the objects of modules, which decide what is in the
	// kernel if CONFIG_TRIM_UNUSED_KSYMS is on.
	Modules bool
}

// Prune returns what a link needs of a folder: the paths below it, sorted, and how many
// there are of all. It is all that was made but what a link makes anew and, unless they are wanted, the objects of modules; and of
// the source what the .cmd files name, and all that is neither code nor text.
func (f *Folder) Prune() (names []string, of int, err error) {
	all, err := f.walk()
	if err != nil {
		return nil, 0, err
	}
	of = len(all)
	all = slices.DeleteFunc(all, f.remade)
	named := map[string]bool{}
	ofModules := map[string]bool{}
	for _, name := range all {
		if path.Ext(name) != ".cmd" || f.Source[name] || f.inTools(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(f.Dir, name))
		if err != nil {
			return nil, 0, err
		}
		if !f.Modules && ofModule(text) {
			ofModules[name] = true
			ofModules[target(name)] = true
			continue
		}
		f.names(text, named)
	}
	return slices.DeleteFunc(all, func(name string) bool {
		return ofModules[name] || !named[name] && !f.kept(name)
	}), of, nil
}

// walk returns the files and links, sorted.
func (f *Folder) walk() ([]string, error) {
	var all []string
	err := filepath.WalkDir(f.Dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() || entry.Type() == fs.ModeSymlink {
			below, err := filepath.Rel(f.Dir, name)
			if err != nil {
				return err
			}
			all = append(all, filepath.ToSlash(below))
		}
		return nil
	})
	slices.Sort(all)
	return all, err
}

// linked are the names of what a link makes anew, other than images.
var linked = regexp.MustCompile(`^(\.tmp_.*|\.?vmlinux.*|System\.map|Module\.symvers|modules\..*|\.modules\..*|\.Module\.symvers.*|` +
	`arch/[^/]+/boot/(compressed/)?\.?(vmlinux|piggy)(\..*)?|` +
	`arch/x86/boot/\.?setup\.(bin|elf).*)$`)

// remade tells whether a link makes the file anew, or nobody needs it.
func (f *Folder) remade(name string) bool {
	if f.Source[name] || strings.Contains(path.Base(name), ".lds") {
		return false
	}
	dir, base := path.Split(f.Image)
	return linked.MatchString(name) ||
		strings.HasPrefix(name, dir+base) || strings.HasPrefix(name, dir+"."+base)
}

// code are the endings of source files that only compilers read.
var code = map[string]bool{".c": true, ".h": true, ".S": true, ".rs": true, ".dts": true, ".dtsi": true, ".dtso": true}

// whole are folders of the source of which everything is kept: scripts, and headers that
// Makefiles name (scripts/Makefile.asm-headers).
var whole = regexp.MustCompile(`^(include/asm-generic|include/uapi/asm-generic|arch/[^/]+/include|scripts|usr)/`)

// unneeded are folders of the source of which nothing is kept that is not named.
var unneeded = regexp.MustCompile(`^(Documentation|LICENSES|samples|tools|rust)/`)

// kept tells whether a file that no .cmd names is kept.
func (f *Folder) kept(name string) bool {
	if f.inTools(name) {
		return slices.Contains(f.Tools, path.Dir(name)) && path.Base(name) == path.Base(path.Dir(name))
	}
	if !f.Source[name] {
		return f.Modules || !madeForModules(name)
	}
	base := path.Base(name)
	if strings.HasPrefix(base, "Makefile") || strings.HasPrefix(base, "Kbuild") || strings.HasPrefix(base, "Kconfig") {
		return true
	}
	switch {
	case f.otherArch(name), unneeded.MatchString(name):
		return false
	case whole.MatchString(name):
		return true
	}
	return !code[path.Ext(name)]
}

func (f *Folder) inTools(name string) bool {
	return slices.ContainsFunc(f.Tools, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
}

// otherArch tells whether a file is for an architecture that the image is not for.
func (f *Folder) otherArch(name string) bool {
	own, _, _ := strings.Cut(strings.TrimPrefix(f.Image, "arch/"), "/")
	other, rest, ok := strings.Cut(strings.TrimPrefix(name, "arch/"), "/")
	return strings.HasPrefix(name, "arch/") && ok && rest != "" && other != own
}

// madeForModules tells whether kbuild makes a file with this name for modules only: x.mod.o is
// what it adds to a module x, and mod.o any object.
func madeForModules(name string) bool {
	if path.Ext(name) == ".cmd" {
		name = target(name)
	}
	base := path.Base(name)
	if base == "modules.order" {
		return true
	}
	return slices.ContainsFunc([]string{".ko", ".mod", ".mod.c", ".mod.o"}, func(end string) bool {
		return strings.HasSuffix(base, end)
	})
}

// listed is an object of a module that is made of several.
var listed = regexp.MustCompile(`@\S+\.mod\b`)

// ofModule tells whether a .cmd is that of an object of a module.
func ofModule(text []byte) bool {
	command, _, _ := strings.Cut(string(text), "\n")
	return strings.Contains(command, " -DMODULE ") || listed.MatchString(command)
}

// target is what has the .cmd with this name: dir/x.o for dir/.x.o.cmd.
func target(name string) string {
	dir, base := path.Split(name)
	return dir + strings.TrimSuffix(strings.TrimPrefix(base, "."), ".cmd")
}

// names adds the files that a .cmd names to named. scripts/basic/fixdep.c says what is in
// one: a command, the source, and what that includes, a file a line.
func (f *Folder) names(text []byte, named map[string]bool) {
	_, rest, _ := strings.Cut(string(text), "\n")
	for word := range strings.FieldsSeq(rest) {
		if strings.ContainsAny(word, "$():=") || word == `\` {
			continue
		}
		word = strings.TrimPrefix(word, f.Dir+"/")
		if !path.IsAbs(word) {
			named[path.Clean(word)] = true
		}
	}
}
