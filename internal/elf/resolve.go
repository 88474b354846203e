package elf

import (
	"cmp"
	"debug/elf"
	"iter"
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

// Need is a shared object that a file is linked with, or may load.
type Need struct {
	Name   string
	Status Status
	// Path is where it is or, if the loader does not find or cannot use it, where another one
	// with this name is. It is empty if there is none.
	Path string
	// Opened is the path by which a loader opens it, which may lead through symbolic links, if it
	// is Found.
	Opened string
	// Others are all paths at which the standard directories have a shared object of this name, if
	// there are several.
	Others []string
	// Version is one of Object.Requires that the shared object lacks, if the status is NoVersion.
	Version string
}

// Load is what became of a Note.
type Load struct {
	// IsWanted is set if the options of Resolve ask for it.
	IsWanted bool
	// Needs has one element for each of the note's Sonames, if it is wanted.
	Needs []Need
}

// IsFound reports whether one of the shared objects is found, so that the note is satisfied.
func (l Load) IsFound() bool {
	return slices.ContainsFunc(l.Needs, func(n Need) bool { return n.Status == Found || n.Status == BuiltIn })
}

// Status says whether a loader finds a shared object.
type Status uint8

// In the order from bad to good.
const (
	// Missing: there is no shared object with this name.
	Missing Status = iota
	// OtherArch: there is one only for another architecture.
	OtherArch
	// NotSearched: one is at Path, where the loader does not look.
	NotSearched
	// NoVersion: one is at Path that lacks a version of symbols which the file requires.
	NoVersion
	// Assumed: one is at Path, which is not in the search path of the file. It is loaded if
	// the cache of ld.so names it, or if the program that loads this file has loaded it.
	Assumed
	// BuiltIn: the loader itself has it.
	BuiltIn
	// Found: a loader finds it.
	Found
)

// Limits of one system or file. No real one comes near.
const (
	maxRunPath     = 64   // directories in the search path of a file
	maxExpanded    = 128  // directories that they are
	maxDirectories = 1000 // directories of all search paths, and of configuration files
	maxTokens      = 4    // tokens such as $ORIGIN in a directory
	maxHWCaps      = 32   // directories below glibc-hwcaps
)

// resolver finds shared objects as dynamic loaders do: that of the GNU C library (ld.so(8),
// _dl_map_object in elf/dl-load.c), musl's (load_library in ldso/dynlink.c) and Android's. It knows
// the directories of all of them, so what it does not find is really missing.
type resolver struct {
	system  System
	options Options
	// files are the programs and shared objects, by their first paths.
	files []*File
	data  map[*File]bool // files that are not programs of the system
	// objects has the shared objects by path, also by the paths of symbolic links.
	objects map[string]*File
	// byName has a path for each name that a shared object has, also with the zero Arch, which
	// means any architecture.
	byName map[sharedName]string
	// standard has what is found in the directories that are searched for all files.
	standard map[sharedName]*standardObject
	// loaders are the base names of the programs' loaders, which are always loaded.
	loaders map[string]bool
	// commonDirs has the directories that are searched for all files, and archDirs those for the
	// files of a known architecture: real paths.
	commonDirs map[string]searched
	archDirs   map[Arch]map[string]searched
	// configured are the directories in configuration files, and hwcaps those below others whose
	// libraries are for some CPUs: "/glibc-hwcaps/NAME".
	configured, hwcaps []string
	// hasMusl is set if there is a loader of musl, and hasCache if ld.so has a cache, which
	// may name any directory.
	hasMusl, hasCache bool
	// steps counts what programs need; after maxSteps, a file that another program loaded counts
	// as resolved.
	steps int
}

// maxSteps bounds the time. A system of 4000 programs with 100 shared objects each stays below it.
const maxSteps = 4 << 20

// searched says how a directory is searched.
type searched struct {
	// rank is its place in the order: a lower one is searched first.
	rank int
	// isVariant marks a directory for some CPUs.
	isVariant bool
}

// standardObject is a shared object in the standard directories.
type standardObject struct {
	path string // of the one that is used, unless there are variants for the CPU
	rank searched
	// variants are those for some CPUs, and all is every one that is for any CPU.
	variants, all []string
}

type sharedName struct {
	name string
	arch Arch
}

// Options say what Resolve looks for besides what files are linked with.
type Options struct {
	// Wants reports whether to look for what a program or shared object may load. If it is nil,
	// Resolve looks for what is Required.
	Wants func(Note) bool
	// Extra are the names of shared objects that each program with the loader of the GNU C library
	// may load without a note.
	Extra []string
}

// Resolve looks for the shared objects that the programs of a system need. It returns the
// programs and shared objects in the order of their first paths.
func Resolve(system System, options Options) []*File {
	r := &resolver{
		system: system, options: options, data: map[*File]bool{},
		objects: map[string]*File{}, byName: map[sharedName]string{}, standard: map[sharedName]*standardObject{},
		loaders: map[string]bool{}, archDirs: map[Arch]map[string]searched{},
	}
	if r.options.Wants == nil {
		r.options.Wants = func(n Note) bool { return n.Priority == Required }
	}
	r.readConfiguration(r.findFiles())
	r.commonDirs = r.commonDirectories()
	r.findShared()

	// A program does not start unless its loader finds everything that it needs. A shared object that
	// no program is linked with is loaded later, by a program that is not known.
	for _, file := range r.files {
		if file.Object.Interp != "" && file.IsExecutable && !file.IsSpare {
			r.load(file, false)
		}
	}
	for _, file := range r.files {
		if file.IsUsed && file.Needs == nil {
			r.load(file, true)
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
		file.IsUsed = file.IsUsed || !file.IsSpare && (file.IsExecutable || file.Object.Type == elf.ET_DYN && IsSharedName(name))
		r.hasMusl = r.hasMusl || isMuslLoader(name) && !file.IsSpare || isMuslLoader(file.Object.Interp) && file.IsUsed
	}
	r.files = slices.DeleteFunc(r.files, func(file *File) bool { return r.data[file] })
	for _, file := range r.files {
		if interp := file.Object.Interp; interp != "" && !file.IsSpare && r.lookupShared(interp) != nil {
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
		dir := path.Dir(name)
		rank, ok := r.commonDirs[dir]
		if other, isOfArch := r.directories(arch)[dir]; isOfArch && (!ok || other.rank < rank.rank) {
			rank, ok = other, true
		}
		if ok {
			r.addStandard(key, name, file, rank)
		}
	}
}

// addStandard adds a shared object in a standard directory. One that is not spare is preferred, then
// one for any CPU, then the one that is searched first.
func (r *resolver) addStandard(key sharedName, name string, file *File, rank searched) {
	s := r.standard[key]
	if s == nil {
		s = &standardObject{path: name, rank: rank}
		r.standard[key] = s
	} else {
		old := r.objects[s.path]
		switch {
		case file.IsSpare != old.IsSpare:
			if old.IsSpare {
				s.path, s.rank = name, rank
			}
		case rank.isVariant != s.rank.isVariant:
			if s.rank.isVariant {
				s.path, s.rank = name, rank
			}
		case rank.rank < s.rank.rank:
			s.path, s.rank = name, rank
		}
	}
	if rank.isVariant {
		s.variants = append(s.variants, name)
	} else {
		s.all = append(s.all, name)
	}
}

// loading is what a loader has loaded for a program. Its order is breadth first
// (_dl_map_object_deps in elf/dl-deps.c).
type loading struct {
	program  *File
	isPlugin bool // program is a shared object that an unknown program loads
	isMusl   bool
	loaded   map[string]Need // by all names
	by       map[*File]*File // what made the loader load a file
	origin   map[*File]string
	dirs     map[*File][]directory
	queue    []*File
	// missing has what was not found last for a file.
	missing map[string]*File
}

// load looks for what a program needs, and for what that needs. What a plugin needs may be loaded
// already when it is loaded, wherever it is.
func (r *resolver) load(program *File, isPlugin bool) {
	interp := program.Object.Interp
	l := &loading{
		program: program, isPlugin: isPlugin, isMusl: isMuslLoader(interp) || interp == "" && r.hasMusl,
		loaded: map[string]Need{}, by: map[*File]*File{program: nil}, origin: map[*File]string{program: path.Dir(program.Path)},
		dirs: map[*File][]directory{}, queue: []*File{program}, missing: map[string]*File{},
	}
	if program.IsFirst {
		l.origin[program] = ""
	}
	isGNU := interp != "" && !l.isMusl && !isAndroidLoader(interp)
	for i := 0; i < len(l.queue); i++ {
		file := l.queue[i]
		isFirst := file.Needs == nil
		if isFirst {
			file.IsUsed, file.IsPlugin = true, isPlugin
			file.Needs = make([]Need, len(file.Object.Needed))
			file.Loads = make([]Load, len(file.Object.Notes))
		} else if isPlugin || r.steps > maxSteps {
			continue
		}
		for j, name := range file.Object.Needed {
			need := r.resolve(l, file, name)
			if need.Status < Assumed && need.Status != NoVersion {
				need = r.findElsewhere(file, name, isPlugin)
			}
			if isFirst || need.Status < file.Needs[j].Status {
				file.Needs[j] = need
			}
		}
		for j, note := range file.Object.Notes {
			if !r.options.Wants(note) {
				continue
			}
			load := Load{IsWanted: true}
			for _, name := range note.Sonames {
				need := r.resolve(l, file, name)
				load.Needs = append(load.Needs, need)
				if need.Status == Found {
					break // it loads the first that there is
				}
			}
			if isFirst || !load.IsFound() {
				file.Loads[j] = load
			}
		}
		if i == 0 && isGNU {
			for _, name := range r.options.Extra {
				file.Extra = append(file.Extra, r.resolve(l, file, name))
			}
		}
	}
}

// findElsewhere returns a shared object that the loader does not find.
func (r *resolver) findElsewhere(file *File, name string, isPlugin bool) Need {
	at, other := r.byName[sharedName{name, file.Object.Arch}], r.byName[sharedName{name, Arch{}}]
	switch {
	case at == "" && other != "":
		return Need{Name: name, Status: OtherArch, Path: other}
	case at == "":
		return Need{Name: name}
	case isPlugin || r.hasCache:
		return Need{Name: name, Status: Assumed, Path: at}
	}
	return Need{Name: name, Status: NotSearched, Path: at}
}

// resolve looks for a shared object where a loader would, and loads it.
func (r *resolver) resolve(l *loading, file *File, name string) Need {
	r.steps++
	need, ok := l.loaded[name]
	switch base := path.Base(l.program.Object.Interp); {
	case ok:
	case l.missing[name] == file:
		return Need{Name: name}
	case name == base, l.program.Object.Interp == "" && r.loaders[name], l.isMusl && isMuslBuiltIn(name):
		return Need{Name: name, Status: BuiltIn}
	default:
		// What is there in any case comes first: what is spare is there only if nothing else is.
		if need = r.search(l, file, name, false); need.Status != Found {
			need = r.search(l, file, name, true)
		}
	}
	if need.Status != Found {
		l.missing[name] = file
		return need
	}
	found := r.objects[need.Path]
	if !ok {
		l.loaded[name] = need
		if soname := found.Object.Soname; l.loaded[soname].Name == "" {
			l.loaded[soname] = Need{Name: soname, Status: Found, Path: need.Path, Opened: need.Opened}
		}
		r.add(l, file, found, path.Dir(need.Opened))
		if s := r.standard[sharedName{name, file.Object.Arch}]; s != nil && s.path == need.Path {
			for _, variant := range s.variants {
				r.add(l, file, r.objects[variant], path.Dir(variant))
			}
		}
	}
	if version := missingVersion(file.Object, name, found.Object); version != "" && !l.isMusl {
		need.Status, need.Version = NoVersion, version
	}
	return need
}

// add loads a shared object, unless it is loaded.
func (r *resolver) add(l *loading, by, found *File, origin string) {
	if _, ok := l.by[found]; ok {
		return
	}
	l.by[found], l.origin[found] = by, origin
	l.queue = append(l.queue, found)
	if found.LoadedBy == nil {
		found.LoadedBy = by
	}
}

// search looks for a shared object where a loader would, among what is spare or only among the rest.
func (r *resolver) search(l *loading, file *File, name string, spare bool) Need {
	arch := file.Object.Arch
	isUsable := func(found *File) bool {
		return found != nil && found.Object.Arch == arch && (spare || !found.IsSpare)
	}
	if strings.Contains(name, "/") {
		for _, at := range expand(name, arch, l.origin[file]) {
			r.steps++
			if found := r.lookupShared(at); isUsable(found) {
				r.objects[at] = found
				return Need{Name: name, Status: Found, Path: at, Opened: at}
			}
		}
		return Need{Name: name}
	}
	for _, dir := range r.searchPath(l, file) {
		if at := dir.path + "/" + name; isUsable(r.objects[at]) {
			return Need{Name: name, Status: Found, Path: at, Opened: dir.opened + "/" + name}
		}
	}
	if s := r.standard[sharedName{name, arch}]; s != nil && isUsable(r.objects[s.path]) {
		need := Need{Name: name, Status: Found, Path: s.path, Opened: s.path}
		if len(s.all) > 1 {
			need.Others = s.all
		}
		return need
	}
	return Need{Name: name}
}

// missingVersion returns the first version of symbols that an object requires of a shared object
// and that is not there, or "". One that defines no versions has all (match_symbol in
// elf/dl-version.c of the GNU C library).
func missingVersion(o *Object, name string, shared *Object) string {
	if len(shared.Defines) == 0 {
		return ""
	}
	for _, required := range o.Requires {
		if required.Name != name {
			continue
		}
		for _, version := range required.Versions {
			if !slices.Contains(shared.Defines, version) {
				return version
			}
		}
	}
	return ""
}

func isAndroidLoader(name string) bool { return strings.HasPrefix(name, "/system/bin/linker") }

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

// directory is one of the search path of a file: as it is searched, and without symbolic links.
type directory struct{ opened, path string }

// searchPath returns the directories of a file's own search path that exist, and of those that it
// has from what loaded it. In the GNU C library, a RUNPATH is for the file itself, and turns off the
// RPATH of those that loaded it (_dl_map_object in elf/dl-load.c); musl makes no such difference
// (load_library in ldso/dynlink.c).
func (r *resolver) searchPath(l *loading, file *File) []directory {
	if dirs, ok := l.dirs[file]; ok {
		return dirs
	}
	var dirs []directory
	elements := 0
	add := func(list string, file *File) {
		for element := range strings.SplitSeq(list, ":") {
			if element == "" {
				continue
			}
			if elements++; elements > maxRunPath {
				return
			}
			for _, dir := range expand(element, file.Object.Arch, l.origin[file]) {
				r.steps++
				at, ok := r.lookupDir(dir)
				if ok && len(dirs) < maxExpanded && !slices.ContainsFunc(dirs, func(d directory) bool { return d.path == at }) {
					dirs = append(dirs, directory{dir, at})
				}
			}
		}
	}
	for by, depth := file, 0; by != nil && depth < maxRunPath; by, depth = l.by[by], depth+1 {
		o := by.Object
		switch {
		case l.isMusl:
			add(cmp.Or(o.RunPath, o.RPath), by)
		case file.Object.RunPath == "" && o.RunPath == "":
			add(o.RPath, by)
		}
	}
	if !l.isMusl {
		add(file.Object.RunPath, file)
	}
	if isAndroidLoader(l.program.Object.Interp) {
		add("/system/lib64:/system/lib", file)
	}
	l.dirs[file] = dirs
	return dirs
}

// expand returns what a directory or name with $ORIGIN, $LIB or $PLATFORM may mean (ld.so(8)).
// $ORIGIN is the directory of the path by which the loader opened the file; empty if the loader does
// not know it.
func expand(element string, arch Arch, origin string) []string {
	switch n := strings.Count(element, "$"); {
	case n == 0:
		return []string{element}
	case n > maxTokens, origin == "" && (strings.Contains(element, "$ORIGIN") || strings.Contains(element, "${ORIGIN}")):
		return nil
	}
	libs := []string{""}
	if strings.Contains(element, "LIB") {
		libs = []string{"lib", "lib64"}
		for _, triplet := range arch.row().triplets {
			libs = append(libs, "lib/"+triplet)
		}
	}
	var dirs []string
	for _, lib := range libs {
		tokens := strings.NewReplacer("$LIB", lib, "${LIB}", lib, "$PLATFORM", arch.String(), "${PLATFORM}", arch.String(), "$ORIGIN", origin, "${ORIGIN}", origin)
		dirs = append(dirs, tokens.Replace(element))
	}
	return dirs
}

// commonDirectories returns the existing directories that are searched for all files. Loaders
// search those of the cache first, then those for one architecture (rankOfArch), then the others.
func (r *resolver) commonDirectories() map[string]searched {
	names := []string{"/lib64", "/usr/lib64", "/lib"}
	if r.hasMusl {
		names = append(names, "/usr/local/lib")
	}
	names = append(names, "/usr/lib", "/lib32", "/usr/lib32", "/libx32", "/usr/libx32")
	dirs := map[string]searched{}
	r.addExisting(dirs, 0, r.configured)
	r.addExisting(dirs, 2*rankOfArch, names)
	return dirs
}

const rankOfArch = maxDirectories

// directories returns the existing directories that are searched for the files of an architecture.
// One that is not known has none.
func (r *resolver) directories(arch Arch) map[string]searched {
	row := arch.row()
	dirs, ok := r.archDirs[row.Arch]
	if !ok {
		dirs = map[string]searched{}
		var names []string
		for _, triplet := range row.triplets {
			names = append(names, "/lib/"+triplet, "/usr/lib/"+triplet, "/lib64/"+triplet, "/usr/lib64/"+triplet)
		}
		r.addExisting(dirs, rankOfArch, names)
		r.archDirs[row.Arch] = dirs
	}
	return dirs
}

// addExisting adds those of the directories that exist, in their order, and those below them for
// some CPUs.
func (r *resolver) addExisting(dirs map[string]searched, rank int, names []string) {
	for i, name := range names {
		at, ok := r.lookupDir(name)
		if _, known := dirs[at]; !ok || known {
			continue
		}
		dirs[at] = searched{rank + i, false}
		for _, below := range r.hwcaps {
			if variant, ok := r.lookupDir(at + below); ok {
				dirs[variant] = searched{rank + i, true}
			}
		}
	}
}
