package elf

import (
	"debug/elf"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
)

// System is a file system in which programs run.
type System interface {
	// Files yields all paths, absolute and clean, always in the same order, each with what a
	// Reader has read of the file that has the path. A symbolic link has none.
	Files() iter.Seq2[string, *File]
	// Lookup returns the file that a path leads to, and its path without symbolic links. The
	// file is nil if there is none, or if it is neither a directory nor one of Files.
	Lookup(name string) (*File, string)
}

// Need is a shared object that a file is linked with.
type Need struct {
	Name   string
	Status Status
	// Path is where it is or, if the loader does not find or cannot use it, where another one
	// with this name is. It is empty if there is none.
	Path string
}

// Status says whether a loader finds a shared object.
type Status uint8

const (
	// Missing: there is no shared object with this name.
	Missing Status = iota
	// Found: a loader finds it.
	Found
	// BuiltIn: the loader itself has it.
	BuiltIn
	// Assumed: one is at Path, which is not in the search path of the file. It is loaded if
	// the cache of ld.so names it, or if the program that loads this file has loaded it.
	Assumed
	// NotSearched: one is at Path, where the loader does not look.
	NotSearched
	// OtherArch: there is one only for another architecture.
	OtherArch
)

// Limits of one system or file. No real one comes near.
const (
	maxRunPath     = 64   // directories in the search path of a file
	maxExpanded    = 128  // directories that they may mean
	maxDirectories = 1000 // directories of all search paths, and of configuration files
	maxTokens      = 4    // tokens such as $ORIGIN in a directory
	maxHWCaps      = 32   // directories below glibc-hwcaps
)

// resolver finds shared objects as dynamic loaders do: that of the GNU C library (ld.so(8)),
// musl's (ldso/dynlink.c) and Android's. It looks wherever one of them would, so what it does
// not find is really missing.
type resolver struct {
	system System
	// files are the programs and shared objects, by their first paths.
	files []*File
	data  map[*File]bool // files that are not programs of the system
	// objects has the shared objects by path, also by the paths of symbolic links.
	objects map[string]*File
	// byName has a path for each name that a shared object has, also with the zero Arch, which
	// means any architecture.
	byName map[sharedName]string
	// standard has the paths of shared objects in directories that are searched for all
	// files. inRunPath has those in the search path of some file: the libraries of a program
	// find them, too.
	standard, inRunPath map[sharedName]string
	// loaders are the base names of the programs' loaders, which are always loaded.
	loaders map[string]bool
	// commonDirs are the directories that are searched for all files, and archDirs those for the
	// files of a known architecture.
	commonDirs map[string]bool
	archDirs   map[Arch]map[string]bool
	// configured are the directories in configuration files, and hwcaps those below others whose
	// libraries are for some CPUs: "/glibc-hwcaps/NAME".
	configured, hwcaps []string
	// hasMusl is set if there is a loader of musl, and hasCache if ld.so has a cache, which
	// may name any directory.
	hasMusl, hasCache bool
}

type sharedName struct {
	name string
	arch Arch
}

// Resolve looks for the shared objects that the programs of a system need. It returns the
// programs and shared objects in the order of their first paths.
func Resolve(system System) []*File {
	r := &resolver{
		system: system, data: map[*File]bool{},
		objects: map[string]*File{}, byName: map[sharedName]string{},
		standard: map[sharedName]string{}, inRunPath: map[sharedName]string{},
		loaders: map[string]bool{}, archDirs: map[Arch]map[string]bool{},
	}
	r.readConfiguration(r.findFiles())
	r.commonDirs = r.existing("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/lib32", "/usr/lib32", "/libx32", "/usr/libx32")
	if r.hasMusl {
		maps.Copy(r.commonDirs, r.existing("/usr/local/lib"))
	}
	maps.Copy(r.commonDirs, r.existing(r.configured...))
	r.findShared()

	// A program does not start unless its loader finds everything that it needs. A shared object that
	// no program is linked with is loaded later, by a program that is not known.
	for _, file := range r.files {
		if file.Object.Interp != "" && file.IsExecutable {
			r.resolveAll(file, false)
		}
	}
	for _, file := range r.files {
		if file.IsUsed {
			r.resolveAll(file, true)
		}
	}
	return r.files
}

// findFiles lists the programs and shared objects, and what the names of files tell. It returns
// the paths of configuration files.
func (r *resolver) findFiles() (configurations []string) {
	for name, file := range r.system.Files() {
		if isConfiguration(name) {
			configurations = append(configurations, name)
		}
		if dir := "/glibc-hwcaps/" + path.Base(name); strings.HasSuffix(name, dir) && len(r.hwcaps) < maxHWCaps && !slices.Contains(r.hwcaps, dir) {
			r.hwcaps = append(r.hwcaps, dir)
		}
		r.hasCache = r.hasCache || name == "/etc/ld.so.cache"
		if file == nil || file.Object == nil {
			continue
		}
		if IsData(name) {
			r.data[file] = true
			continue
		}
		if file.Path == "" {
			file.Path = name
			r.files = append(r.files, file)
		}
		file.IsUsed = file.IsUsed || file.IsExecutable || file.Object.Type == elf.ET_DYN && IsSharedName(name)
		r.hasMusl = r.hasMusl || isMuslLoader(name)
	}
	r.files = slices.DeleteFunc(r.files, func(file *File) bool { return r.data[file] })
	for _, file := range r.files {
		if interp := file.Object.Interp; interp != "" && r.lookupShared(interp) != nil {
			r.loaders[path.Base(interp)] = true
		}
	}
	return configurations
}

func isMuslLoader(name string) bool { return strings.HasPrefix(path.Base(name), "ld-musl-") }

// lookupShared returns the shared object that a path leads to, or nil. Programs that are
// position-independent are shared objects, too.
func (r *resolver) lookupShared(name string) *File {
	if file, _ := r.system.Lookup(name); r.isShared(file) {
		return file
	}
	return nil
}

func (r *resolver) isShared(file *File) bool {
	return file != nil && file.Object != nil && file.Object.Type == elf.ET_DYN && !r.data[file]
}

// lookupDir returns the path of the directory that a path leads to.
func (r *resolver) lookupDir(name string) (string, bool) {
	file, at := r.system.Lookup(name)
	return at, file != nil && file.IsDir
}

// findShared indexes the shared objects by their names.
func (r *resolver) findShared() {
	inRunPath := map[string]bool{}
	for _, file := range r.files {
		for _, dir := range r.runPath(file) {
			if len(inRunPath) < maxDirectories {
				inRunPath[dir] = true
			}
		}
	}
	for name, file := range r.system.Files() {
		if file == nil && IsSharedName(name) {
			file = r.lookupShared(name) // by a symbolic link
		}
		if !r.isShared(file) {
			continue
		}
		arch := file.Object.Arch
		r.objects[name] = file
		key := sharedName{path.Base(name), arch}
		for _, alias := range []sharedName{key, {key.name, Arch{}}, {file.Object.Soname, arch}, {file.Object.Soname, Arch{}}} {
			if r.byName[alias] == "" {
				r.byName[alias] = name
			}
		}
		if inRunPath[path.Dir(name)] {
			r.inRunPath[key] = name
		}
		if dir := path.Dir(name); r.commonDirs[dir] || r.directories(arch)[dir] {
			r.standard[key] = name
		}
	}
}

// resolveAll looks for what a file needs, and for what that needs. What a plugin needs may be
// loaded already when it is loaded, wherever it is.
func (r *resolver) resolveAll(file *File, isPlugin bool) {
	queue := []*File{file}
	for len(queue) > 0 {
		file := queue[0]
		queue = queue[1:]
		if file.Needs != nil {
			continue
		}
		file.IsUsed, file.IsPlugin = true, isPlugin
		file.Needs = make([]Need, len(file.Object.Needed))
		dirs := r.runPath(file)
		for i, name := range file.Object.Needed {
			need := r.resolve(file, name, dirs)
			if need.Status == Found {
				queue = append(queue, r.objects[need.Path])
			}
			if need.Status == Missing {
				need = r.findElsewhere(file, name, isPlugin)
			}
			file.Needs[i] = need
		}
	}
}

// findElsewhere returns a shared object that the loader does not find.
func (r *resolver) findElsewhere(file *File, name string, isPlugin bool) Need {
	at, other := r.byName[sharedName{name, file.Object.Arch}], r.byName[sharedName{name, Arch{}}]
	switch {
	case at == "" && other != "":
		return Need{name, OtherArch, other}
	case at == "":
		return Need{Name: name}
	case isPlugin || r.hasCache:
		return Need{name, Assumed, at}
	}
	return Need{name, NotSearched, at}
}

// resolve looks for a shared object where a loader would.
func (r *resolver) resolve(file *File, name string, dirs []string) Need {
	arch := file.Object.Arch
	if strings.Contains(name, "/") {
		for _, at := range r.expand(name, file) {
			if found := r.lookupShared(at); found != nil && found.Object.Arch == arch {
				r.objects[at] = found
				return Need{name, Found, at}
			}
		}
		return Need{Name: name}
	}
	interp := file.Object.Interp
	if strings.HasPrefix(interp, "/system/bin/linker") {
		dirs = append(dirs, "/system/lib64", "/system/lib")
	}
	at := ""
	for _, dir := range dirs {
		if found := r.objects[dir+"/"+name]; found != nil && found.Object.Arch == arch {
			at = dir + "/" + name
			break
		}
	}
	key := sharedName{name, arch}
	if at == "" {
		at = r.standard[key]
	}
	if at == "" && interp == "" {
		at = r.inRunPath[key]
	}
	isMusl := isMuslLoader(interp) || interp == "" && r.hasMusl
	switch {
	case at != "":
		if found := r.objects[at]; found.loadedFrom == "" {
			found.loadedFrom = path.Dir(at)
		}
		return Need{name, Found, at}
	case r.loaders[name], isMusl && isMuslBuiltIn(name):
		return Need{Name: name, Status: BuiltIn}
	}
	return Need{Name: name}
}

// isMuslBuiltIn reports whether musl's loader has the library itself (load_library in
// ldso/dynlink.c).
func isMuslBuiltIn(name string) bool {
	rest, ok := strings.CutPrefix(name, "lib")
	for _, library := range []string{"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."} {
		if ok && strings.HasPrefix(rest, library) {
			return true
		}
	}
	return false
}

// runPath returns the directories of a file's own search path that exist.
func (r *resolver) runPath(file *File) []string {
	var dirs, elements []string
	expanded := 0
	for _, list := range file.Object.RunPaths {
		for element := range strings.SplitSeq(list, ":") {
			if len(elements) == maxRunPath || element == "" || slices.Contains(elements, element) {
				continue
			}
			elements = append(elements, element)
			for _, dir := range r.expand(element, file) {
				if expanded++; expanded > maxExpanded {
					return dirs
				}
				if at, ok := r.lookupDir(dir); ok && !slices.Contains(dirs, at) {
					dirs = append(dirs, at)
				}
			}
		}
	}
	return dirs
}

// expand returns what a directory or name with $ORIGIN, $LIB or $PLATFORM may mean (ld.so(8)).
// The loader derives $ORIGIN from the path by which it found a file.
func (r *resolver) expand(element string, file *File) []string {
	if n := strings.Count(element, "$"); n == 0 {
		return []string{element}
	} else if n > maxTokens {
		return nil
	}
	arch := file.Object.Arch
	libs := []string{""}
	if strings.Contains(element, "LIB") {
		libs = []string{"lib", "lib64"}
		for _, triplet := range arch.row().triplets {
			libs = append(libs, "lib/"+triplet)
		}
	}
	origins := []string{path.Dir(file.Path)}
	if file.loadedFrom != "" && file.loadedFrom != origins[0] {
		origins = append(origins, file.loadedFrom)
	}
	var dirs []string
	for _, origin := range origins {
		for _, lib := range libs {
			tokens := strings.NewReplacer("$LIB", lib, "${LIB}", lib, "$PLATFORM", arch.String(), "${PLATFORM}", arch.String(), "$ORIGIN", origin, "${ORIGIN}", origin)
			dirs = append(dirs, tokens.Replace(element))
		}
	}
	return dirs
}

// directories returns the existing directories that are searched for the files of an architecture.
// One that is not known has none.
func (r *resolver) directories(arch Arch) map[string]bool {
	row := arch.row()
	dirs, ok := r.archDirs[row.Arch]
	if !ok {
		var names []string
		for _, triplet := range row.triplets {
			names = append(names, "/lib/"+triplet, "/usr/lib/"+triplet, "/lib64/"+triplet, "/usr/lib64/"+triplet)
		}
		dirs = r.existing(names...)
		r.archDirs[row.Arch] = dirs
	}
	return dirs
}

// existing returns those of the directories that exist, and those below them for some CPUs.
func (r *resolver) existing(names ...string) map[string]bool {
	dirs := map[string]bool{}
	for _, name := range names {
		at, ok := r.lookupDir(name)
		if !ok || dirs[at] {
			continue
		}
		dirs[at] = true
		for _, below := range r.hwcaps {
			if at, ok := r.lookupDir(at + below); ok {
				dirs[at] = true
			}
		}
	}
	return dirs
}
