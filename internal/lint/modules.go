package lint

import (
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/modules"
)

// moduleDirectory is what an image has in a lib/modules/RELEASE.
type moduleDirectory struct {
	// last is the last archive that has an index, and dep the index modules.dep that remains.
	last int
	dep  *entry
	// all counts the modules that remain, and ofLast are the paths of those in the last archive.
	all    int
	ofLast map[string]bool
}

// isMerged reports whether the indexes that remain are for the modules of all archives. Either
// the last archive with indexes has all modules, or it follows the layers and has none.
func (d *moduleDirectory) isMerged() bool {
	isEmpty := d.dep == nil || d.dep.file.Size == 0
	return len(d.ofLast) == d.all || len(d.ofLast) == 0 && !isEmpty
}

// splitModulePath splits a path into lib/modules/RELEASE and what is in it.
func splitModulePath(at string) (dir, below string, ok bool) {
	const parent = "/lib/modules/"
	i := strings.Index(at, parent)
	if i < 0 {
		return "", "", false
	}
	release, below, ok := strings.Cut(at[i+len(parent):], "/")
	return at[:i+len(parent)+len(release)], below, ok
}

// isIndex reports whether a path in lib/modules/RELEASE is that of an index.
func isIndex(below string) bool {
	return strings.HasPrefix(below, "modules.") && !strings.Contains(below, "/")
}

// archive returns the number of the archive that has an entry: a trailer ends each.
func (x *contents) archive(i int) int {
	n, found := slices.BinarySearch(x.archives, int32(i))
	if found {
		n++
	}
	return n
}

// replacesIndex reports whether an entry is an index of kernel modules that replaces that of an
// earlier archive, and whether the indexes that remain are for the modules of all archives.
func (x *contents) replacesIndex(i int) (isReplaced, isMerged bool) {
	e := &x.entries[i]
	old := &x.entries[e.earlier]
	dir, below, ok := splitModulePath(e.path)
	if !ok || !isIndex(below) || x.model == nil || e.mode&cpio.TypeMask != cpio.TypeRegular ||
		e.mode != old.mode || e.uid != old.uid || e.gid != old.gid || x.archive(i) == x.archive(int(e.earlier)) {
		return false, false
	}
	if x.moduleDirectories == nil {
		x.findModules()
	}
	return true, x.moduleDirectories[dir].isMerged()
}

// findModules finds the directories of kernel modules.
func (x *contents) findModules() {
	x.moduleDirectories = map[string]*moduleDirectory{}
	for i := range x.entries {
		e := &x.entries[i]
		dir, below, ok := splitModulePath(e.path)
		if !ok || !isIndex(below) || e.drop != 0 {
			continue
		}
		d := x.moduleDirectories[dir]
		if d == nil {
			d = &moduleDirectory{ofLast: map[string]bool{}}
			x.moduleDirectories[dir] = d
		}
		d.last = x.archive(i)
		if below == "modules.dep" && e.file != nil {
			d.dep = e
		}
	}
	for i := range x.entries {
		e := &x.entries[i]
		dir, _, _ := splitModulePath(e.path)
		d := x.moduleDirectories[dir]
		if d == nil || e.drop != 0 || e.mode&cpio.TypeMask != cpio.TypeRegular || !modules.IsModule(e.path) {
			continue
		}
		if e.file != nil {
			d.all++
		}
		if x.archive(i) == d.last {
			d.ofLast[e.path] = true
		}
	}
}
