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

// BuildDir is a directory that holds the source of a kernel and what was built from it.
type BuildDir struct {
	// Dir is its absolute path.
	Dir string
	// Source are the paths below Dir that were unpacked. All other files were built.
	Source map[string]bool
	// Image is the path of the kernel image below Dir.
	Image string
	// Tools are directories of programs that make need not rebuild. Only the program is kept
	// of each, which has the name of the directory.
	Tools []string
	// Modules keeps the objects of modules, which decide what is in the kernel if
	// CONFIG_TRIM_UNUSED_KSYMS is on.
	Modules bool
}

// Prune returns the sorted paths of the files that a link needs, and the number of all files.
// A link needs the files that were built, without those that it rebuilds and, unless
// d.Modules is set, without the objects of modules. Of the source it needs the files that
// .cmd files name, and those that are neither code nor documentation.
func (d *BuildDir) Prune() (names []string, total int, err error) {
	all, err := d.walk()
	if err != nil {
		return nil, 0, err
	}
	total = len(all)
	all = slices.DeleteFunc(all, d.isRebuilt)
	named := map[string]bool{}
	moduleFiles := map[string]bool{}
	for _, name := range all {
		if path.Ext(name) != ".cmd" || d.Source[name] || d.inTools(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(d.Dir, name))
		if err != nil {
			return nil, 0, err
		}
		if !d.Modules && isModuleCommand(text) {
			moduleFiles[name] = true
			moduleFiles[target(name)] = true
			continue
		}
		d.addNamed(text, named)
	}
	return slices.DeleteFunc(all, func(name string) bool {
		return moduleFiles[name] || !named[name] && !d.isKept(name)
	}), total, nil
}

// walk returns the files and links, sorted.
func (d *BuildDir) walk() ([]string, error) {
	var all []string
	err := filepath.WalkDir(d.Dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() || entry.Type() == fs.ModeSymlink {
			below, err := filepath.Rel(d.Dir, name)
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

// rebuilt matches the files that a link rebuilds, other than images.
var rebuilt = regexp.MustCompile(`^(\.tmp_.*|\.?vmlinux.*|System\.map|Module\.symvers|modules\..*|\.modules\..*|\.Module\.symvers.*|` +
	`arch/[^/]+/boot/(compressed/)?\.?(vmlinux|piggy)(\..*)?|` +
	`arch/x86/boot/\.?setup\.(bin|elf).*)$`)

// isRebuilt reports whether a link rebuilds the file, or nothing needs it.
func (d *BuildDir) isRebuilt(name string) bool {
	if d.Source[name] || strings.Contains(path.Base(name), ".lds") {
		return false
	}
	dir, base := path.Split(d.Image)
	return rebuilt.MatchString(name) ||
		strings.HasPrefix(name, dir+base) || strings.HasPrefix(name, dir+"."+base)
}

// code has the extensions of source files that only compilers read.
var code = map[string]bool{".c": true, ".h": true, ".S": true, ".rs": true, ".dts": true, ".dtsi": true, ".dtso": true}

// whole matches directories of the source that are kept whole: scripts, and headers that
// Makefiles name (scripts/Makefile.asm-headers).
var whole = regexp.MustCompile(`^(include/asm-generic|include/uapi/asm-generic|arch/[^/]+/include|scripts|usr)/`)

// unneeded matches directories of the source whose files are kept only if .cmd files name them.
var unneeded = regexp.MustCompile(`^(Documentation|LICENSES|samples|tools|rust)/`)

// isKept reports whether a file is kept that no .cmd file names.
func (d *BuildDir) isKept(name string) bool {
	if d.inTools(name) {
		return slices.Contains(d.Tools, path.Dir(name)) && path.Base(name) == path.Base(path.Dir(name))
	}
	if !d.Source[name] {
		return d.Modules || !isForModules(name)
	}
	base := path.Base(name)
	if strings.HasPrefix(base, "Makefile") || strings.HasPrefix(base, "Kbuild") || strings.HasPrefix(base, "Kconfig") {
		return true
	}
	switch {
	case d.otherArch(name), unneeded.MatchString(name):
		return false
	case whole.MatchString(name):
		return true
	}
	return !code[path.Ext(name)]
}

func (d *BuildDir) inTools(name string) bool {
	return slices.ContainsFunc(d.Tools, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
}

// otherArch reports whether a file belongs to another architecture than that of the image.
func (d *BuildDir) otherArch(name string) bool {
	own, _, _ := strings.Cut(strings.TrimPrefix(d.Image, "arch/"), "/")
	other, rest, ok := strings.Cut(strings.TrimPrefix(name, "arch/"), "/")
	return strings.HasPrefix(name, "arch/") && ok && rest != "" && other != own
}

// isForModules reports whether kbuild builds a file with this name only for modules. It adds
// x.mod.o to a module x; a file mod.o is an object as any other.
func isForModules(name string) bool {
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

// moduleParts matches the command of a module that is linked from several objects.
var moduleParts = regexp.MustCompile(`@\S+\.mod\b`)

// isModuleCommand reports whether the text of a .cmd file is that of an object of a module.
func isModuleCommand(text []byte) bool {
	command, _, _ := strings.Cut(string(text), "\n")
	return strings.Contains(command, " -DMODULE ") || moduleParts.MatchString(command)
}

// target returns the file that a .cmd file is about: dir/x.o for dir/.x.o.cmd.
func target(name string) string {
	dir, base := path.Split(name)
	return dir + strings.TrimSuffix(strings.TrimPrefix(base, "."), ".cmd")
}

// addNamed adds the files that the text of a .cmd file names to named. scripts/basic/fixdep.c
// writes it: a command, the source, and a line for each file that the source includes.
func (d *BuildDir) addNamed(text []byte, named map[string]bool) {
	_, rest, _ := strings.Cut(string(text), "\n")
	for word := range strings.FieldsSeq(rest) {
		if strings.ContainsAny(word, "$():=") || word == `\` {
			continue
		}
		word = strings.TrimPrefix(word, d.Dir+"/")
		if !path.IsAbs(word) {
			named[path.Clean(word)] = true
		}
	}
}
