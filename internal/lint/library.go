package lint

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// missing is a shared object that is needed and not found.
type missing struct {
	name string
	// at is where one with this name is, which the loader does not find or cannot
	// use; empty if there is none. arch is its architecture.
	at   string
	arch *Arch
}

// What is looked at of one image or file. No real one comes near.
const (
	maxRunPath     = 64   // directories in a search path
	maxDirectories = 1000 // directories of all search paths, and of configurations
	maxTokens      = 4    // such as $ORIGIN in one of them
	maxHWCaps      = 32   // names of directories below glibc-hwcaps
)

// linker finds shared objects as dynamic loaders do: that of the GNU C library
// (ld.so(8)), musl's (ldso/dynlink.c) and Android's. It looks wherever one of
// them would, so that what it does not find is really missing.
type linker struct {
	*contents
	// objects has the shared objects by path, symbolic links to them included.
	objects map[string]*program
	// named has a path of each, by the names that it has; others, of one of any
	// architecture.
	named  map[soName]string
	others map[string]string
	// found has the paths of those that are in a directory that is searched for
	// all; shared, in one of some program's own search path: what a program is
	// given there is found by its libraries too.
	found, shared map[soName]string
	// loaders are the base names of the programs' loaders, which they have loaded
	// anyway.
	loaders map[string]bool
	// dirs are the directories that are searched for all, by architecture.
	dirs map[*Arch]map[string]bool
	// configured are those of the loaders' configuration; hwcaps, the names
	// below glibc-hwcaps; texts, the paths of the loaders' configuration.
	configured, hwcaps, textPaths []string
	// musl tells that a loader of musl is there; cache, that ld.so has one, which
	// may name any directory.
	musl, cache bool
}

type soName struct {
	name string
	arch *Arch
}

// link finds out which programs there are, for which architecture, and what they
// are missing.
func (x *contents) link() {
	l := &linker{
		contents: x,
		objects:  map[string]*program{}, named: map[soName]string{}, others: map[string]string{},
		found: map[soName]string{}, shared: map[soName]string{},
		loaders: map[string]bool{}, dirs: map[*Arch]map[string]bool{},
	}
	l.findPrograms()
	l.readConfiguration()
	l.findShared()

	// A program finds what it needs, or does not start. What no program is linked
	// with is loaded later, by which program and with what else is not known.
	for _, p := range x.ordered {
		if p.object != nil && p.object.interp != "" && executable(x.entries[p.first].file) {
			l.resolveAll(p, false)
		}
	}
	for _, p := range x.ordered {
		if p.runs {
			l.resolveAll(p, true)
		}
	}
	x.findNative()
}

func executable(file *kernel.File) bool { return file.Mode&0o111 != 0 }

// isData tells whether ELF files with this path are no programs of the image:
// firmware, what belongs to kernel modules, debug information without its code.
func isData(at string) bool {
	for _, dir := range []string{"/lib/firmware/", "/lib/modules/", "/lib/debug/"} {
		if strings.HasPrefix(at, dir) || strings.HasPrefix(at, "/usr"+dir) {
			return true
		}
	}
	return path.Ext(at) == ".debug"
}

// isSharedName tells whether a file's name is that of a shared object.
func isSharedName(at string) bool {
	base := path.Base(at)
	return path.Ext(base) == ".so" || strings.Contains(base, ".so.")
}

// findPrograms gives the programs their paths, and finds what is told by names.
func (l *linker) findPrograms() {
	for i := range l.entries {
		file, at := l.entries[i].file, l.entries[i].path
		if file == nil {
			continue
		}
		if isLoaderText(at) {
			l.textPaths = append(l.textPaths, at)
		}
		if path.Base(path.Dir(at)) == "glibc-hwcaps" && len(l.hwcaps) < maxHWCaps && !slices.Contains(l.hwcaps, path.Base(at)) {
			l.hwcaps = append(l.hwcaps, path.Base(at))
		}
		l.cache = l.cache || at == "/etc/ld.so.cache"
		p := l.programs[file]
		switch {
		case p == nil:
			continue
		case !p.script && isData(at):
			delete(l.programs, file)
			continue
		case p.first < 0:
			p.first = int32(i)
			l.ordered = append(l.ordered, p)
		}
		p.runs = p.runs || executable(file) || p.object != nil && p.object.kind == elf.ET_DYN && isSharedName(at)
		if p.object != nil && isMuslLoader(at) {
			l.musl = true
		}
		if p.object != nil && p.object.interp != "" && l.objectAt(p.object.interp) != nil {
			l.loaders[path.Base(p.object.interp)] = true
		}
	}
}

func isMuslLoader(at string) bool { return strings.HasPrefix(path.Base(at), "ld-musl-") }

// objectAt returns the shared object that a path leads to, or nil. Programs that
// are position-independent are some too.
func (l *linker) objectAt(name string) *program {
	file, _, err := l.model.Lookup(name)
	if err != nil {
		return nil
	}
	if p := l.programs[file]; p != nil && p.object != nil && p.object.kind == elf.ET_DYN {
		return p
	}
	return nil
}

// findShared notes the names of the shared objects.
func (l *linker) findShared() {
	inPaths := map[string]bool{}
	for _, p := range l.ordered {
		if p.object == nil {
			continue
		}
		for _, dir := range l.runPath(p) {
			if len(inPaths) < maxDirectories {
				inPaths[dir] = true
			}
		}
	}
	for i := range l.entries {
		file, at := l.entries[i].file, l.entries[i].path
		if file == nil || file.Type() != cpio.TypeRegular && (file.Type() != cpio.TypeSymlink || !isSharedName(at)) {
			continue
		}
		p := l.programs[file]
		if file.Type() == cpio.TypeSymlink {
			p = l.objectAt(at)
		}
		if p == nil || p.object == nil || p.object.kind != elf.ET_DYN {
			continue
		}
		arch := l.archOf(p.object)
		l.objects[at] = p
		for _, name := range []string{path.Base(at), p.object.soname} {
			if key := (soName{name, arch}); l.named[key] == "" {
				l.named[key] = at
			}
			if l.others[name] == "" {
				l.others[name] = at
			}
		}
		key := soName{path.Base(at), arch}
		if inPaths[path.Dir(at)] {
			l.shared[key] = at
		}
		if l.directories(arch)[path.Dir(at)] {
			l.found[key] = at
		}
	}
}

// resolveAll looks for what a program needs, and for what that needs. What a
// plugin needs may be there already when it is loaded, wherever it is.
func (l *linker) resolveAll(p *program, plugin bool) {
	queue := []*program{p}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if p.object == nil || p.object.linked {
			continue
		}
		p.object.linked, p.runs = true, true
		arch := l.archOf(p.object)
		dirs := l.runPath(p)
		for _, name := range p.object.needed {
			needed, ok := l.resolve(p, name, dirs, arch)
			key := soName{name, arch}
			switch {
			case needed != nil:
				queue = append(queue, needed)
			case ok, l.named[key] != "" && (plugin || l.cache):
			case l.named[key] != "":
				p.object.missing = append(p.object.missing, missing{name, l.named[key], arch})
			case l.others[name] != "":
				at := l.others[name]
				p.object.missing = append(p.object.missing, missing{name, at, l.archOf(l.objectAt(at).object)})
			default:
				p.object.missing = append(p.object.missing, missing{name: name})
			}
		}
	}
}

// resolve looks for a shared object where a loader would. Without a file it is
// there too if the loader itself stands for it.
func (l *linker) resolve(p *program, name string, dirs []string, arch *Arch) (needed *program, ok bool) {
	if strings.Contains(name, "/") {
		for _, at := range l.expand(name, p) {
			if found := l.objectAt(at); found != nil && l.archOf(found.object) == arch {
				return found, true
			}
		}
		return nil, false
	}
	if strings.HasPrefix(p.object.interp, "/system/bin/linker") {
		dirs = append(dirs, "/system/lib64", "/system/lib")
	}
	for _, dir := range dirs {
		at := dir + "/" + name
		if found := l.objects[at]; found != nil && l.archOf(found.object) == arch {
			return l.foundAt(at), true
		}
	}
	key := soName{name, arch}
	at := l.found[key]
	if at == "" && p.object.interp == "" {
		at = l.shared[key]
	}
	switch {
	case at != "":
		return l.foundAt(at), true
	case l.loaders[name]:
		return nil, true
	}
	musl := isMuslLoader(p.object.interp) || p.object.interp == "" && l.musl
	return nil, musl && isMuslReserved(name)
}

// foundAt returns the shared object with this path, once a loader has found it.
func (l *linker) foundAt(at string) *program {
	p := l.objects[at]
	if p.object.from == "" {
		p.object.from = path.Dir(at)
	}
	return p
}

// isMuslReserved tells whether musl's loader stands for the library itself
// (load_library in ldso/dynlink.c).
func isMuslReserved(name string) bool {
	rest, ok := strings.CutPrefix(name, "lib")
	for _, own := range []string{"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."} {
		if ok && strings.HasPrefix(rest, own) {
			return true
		}
	}
	return false
}

// runPath returns the directories of a program's own search path that are there.
func (l *linker) runPath(p *program) []string {
	var dirs, elements []string
	for _, list := range p.object.runPaths {
		for element := range strings.SplitSeq(list, ":") {
			if len(elements) == maxRunPath || element == "" || slices.Contains(elements, element) {
				continue
			}
			elements = append(elements, element)
			for _, dir := range l.expand(element, p) {
				if file, at, err := l.model.Lookup(dir); err == nil && file.Type() == cpio.TypeDir && !slices.Contains(dirs, at) {
					dirs = append(dirs, at)
				}
			}
		}
	}
	return dirs
}

// expand returns what a directory or name with $ORIGIN and the like may stand for (ld.so(8)). The
// loader takes $ORIGIN from the name that it found a file by.
func (l *linker) expand(element string, p *program) []string {
	if n := strings.Count(element, "$"); n == 0 {
		return []string{element}
	} else if n > maxTokens {
		return nil
	}
	arch := l.archOf(p.object)
	libs := []string{""}
	if strings.Contains(element, "LIB") {
		libs = []string{"lib", "lib64"}
		for _, triplet := range arch.triplets {
			libs = append(libs, "lib/"+triplet)
		}
	}
	origins := []string{path.Dir(l.pathOf(p))}
	if p.object.from != "" && p.object.from != origins[0] {
		origins = append(origins, p.object.from)
	}
	var dirs []string
	for _, origin := range origins {
		for _, lib := range libs {
			dir := element
			for _, token := range [][2]string{{"LIB", lib}, {"PLATFORM", arch.Name}, {"ORIGIN", origin}} {
				dir = strings.ReplaceAll(strings.ReplaceAll(dir, "$"+token[0], token[1]), "${"+token[0]+"}", token[1])
			}
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// directories returns those that are there of what is searched for all objects
// of an architecture.
func (l *linker) directories(arch *Arch) map[string]bool {
	if dirs, ok := l.dirs[arch]; ok {
		return dirs
	}
	names := []string{"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/lib32", "/usr/lib32", "/libx32", "/usr/libx32"}
	for _, triplet := range arch.triplets {
		names = append(names, "/lib/"+triplet, "/usr/lib/"+triplet, "/lib64/"+triplet, "/usr/lib64/"+triplet)
	}
	if l.musl {
		names = append(names, "/usr/local/lib")
	}
	names = append(names, l.configured...)
	dirs := map[string]bool{}
	for _, name := range names {
		for _, below := range append([]string{""}, l.hwcaps...) {
			if below != "" {
				below = "/glibc-hwcaps/" + below
			}
			if file, at, err := l.model.Lookup(name + below); err == nil && file.Type() == cpio.TypeDir {
				dirs[at] = true
			}
		}
	}
	l.dirs[arch] = dirs
	return dirs
}

func checkLibrary(x *contents, at string, file *kernel.File, report reporter) {
	p := x.programs[file]
	if p == nil || p.object == nil || !x.isFirst(p, at) {
		return
	}
	for _, m := range p.object.missing {
		switch {
		case m.at == "":
			report(at, fmt.Sprintf("it needs %s, which is not in the image", m.name), "")
		case m.arch != x.archOf(p.object):
			report(at, fmt.Sprintf("it needs %s, which is there only for %s: %s", m.name, m.arch.Name, m.at),
				"add the one for "+x.archOf(p.object).Name)
		default:
			report(at, fmt.Sprintf("it needs %s, which is at %s, where its loader does not look", m.name, m.at),
				"name the directory in the program's search path (RUNPATH) or in the loader's configuration, or move the library to /usr/lib")
		}
	}
}
