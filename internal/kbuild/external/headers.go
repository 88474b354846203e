package external

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// ErrHeaders reports packages that are not the headers of one kernel.
var ErrHeaders = errors.New("not the headers of one kernel")

// maxFiles is the number of files that a module tree may have. Debian's have 9,000.
const maxFiles = 200_000

// ImportTree makes a module tree in the build directory from the unpacked headers packages of a
// distribution in the directory root, on the same file system. It returns the sorted paths.
//
// Distributions have the headers in several directories, with symbolic links between them and a
// Makefile that names the other one by its installed path. In the module tree all of it is in one
// directory, as if the kernel had been compiled there.
func ImportTree(root string, b *kbuild.Build) ([]string, error) {
	m := &merger{root: root, to: b.Dir}
	prepared, err := m.findPrepared()
	if err != nil {
		return nil, err
	}
	source, err := m.findSource(prepared)
	if err != nil {
		return nil, err
	}
	for _, dir := range slices.Compact([]string{prepared, source}) {
		// The Makefile of the prepared directory only names the source, and .kernelvariables
		// has the compilers of the distribution.
		m.skip = map[string]bool{".kernelvariables": true, "Makefile": dir != source}
		if err := m.merge(dir, ".", 0); err != nil {
			return nil, err
		}
	}
	return m.check(b)
}

// merger merges directories of unpacked packages into one.
type merger struct {
	root, to string
	skip     map[string]bool // at the top
	count    int
}

// findPrepared returns the directory below root that has what the kernel's build made.
func (m *merger) findPrepared() (string, error) {
	var found []string
	err := fs.WalkDir(os.DirFS(m.root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Base(name) != Symvers {
			return err
		}
		dir := path.Dir(name)
		if _, err := os.Lstat(filepath.Join(m.root, dir, kbuild.ConfigFile)); err == nil {
			found = append(found, dir)
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", fmt.Errorf("%w: no directory has a %s and a %s: take the package that modules are compiled with, such as linux-headers-RELEASE or kernel-devel", ErrHeaders, kbuild.ConfigFile, Symvers)
	case len(found) > 1:
		return "", fmt.Errorf("%w: they are in %s: leave out the packages of other kernels", ErrHeaders, printable.Text(strings.Join(found, " and ")))
	}
	return found[0], nil
}

// include matches the line of a Makefile that names the directory of the source.
var include = regexp.MustCompile(`(?m)^include[ \t]+(\S+)/Makefile[ \t]*$`)

// findSource returns the directory with the headers and Makefiles that are the same for several
// configurations: that which the Makefile of the prepared directory includes, or the prepared one.
func (m *merger) findSource(prepared string) (string, error) {
	file, info, err := m.resolve(path.Join(prepared, "Makefile"))
	if err != nil {
		return "", err
	}
	if info.Size() > 64<<10 { // the kernel's own
		return prepared, nil
	}
	text, err := os.ReadFile(filepath.Join(m.root, file))
	if err != nil {
		return "", err
	}
	match := include.FindSubmatch(text)
	if match == nil {
		return prepared, nil
	}
	source := string(match[1])
	if !path.IsAbs(source) {
		source = path.Join("/", prepared, source)
	}
	dir, info, err := m.resolve(source)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%w: %s is not a directory", ErrHeaders, printable.Text(source))
	}
	return dir, err
}

// resolve follows symbolic links as if root were the root directory. It returns a path below root
// without links.
func (m *merger) resolve(name string) (string, fs.FileInfo, error) {
	const most = 40 // links, as in the kernel
	at, left, links := ".", strings.Split(path.Clean("/" + name)[1:], "/"), 0
	info, err := os.Lstat(m.root)
	for len(left) > 0 && err == nil {
		next := path.Join("/", at, left[0])[1:]
		left = left[1:]
		if next == "" {
			at = "."
			continue
		}
		info, err = os.Lstat(filepath.Join(m.root, next))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, m.lacks(path.Clean("/"+name), "/"+next)
		}
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > most {
			return "", nil, fmt.Errorf("%w: %s has too many symbolic links", ErrHeaders, printable.Text(name))
		}
		target, readErr := os.Readlink(filepath.Join(m.root, next))
		if readErr != nil {
			return "", nil, readErr
		}
		if path.IsAbs(target) {
			at = "."
		}
		left = append(strings.Split(strings.Trim(target, "/"), "/"), left...)
	}
	return at, info, err
}

// lacks returns the error about a path, below root, that leads to one that is not there.
func (m *merger) lacks(name, missing string) error {
	by := ""
	if name != missing {
		by = "to which " + printable.Text(name) + " leads "
	}
	return fmt.Errorf("%w: %s %sis in none of the packages: add the one that has it", ErrHeaders, printable.Text(missing), by)
}

// merge links the files of the directory from, below root, to the directory with the path below,
// unless they are there.
func (m *merger) merge(from, below string, depth int) error {
	const most = 64
	if depth > most {
		top := strings.Join(strings.Split(below, "/")[:3], "/")
		return fmt.Errorf("%w: %s has more than %d levels of directories: a symbolic link leads to one above it", ErrHeaders, printable.Text(top), most)
	}
	entries, err := os.ReadDir(filepath.Join(m.root, from))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(m.to, below), 0o755); err != nil {
		return err
	}
	for _, entry := range entries {
		if depth == 0 && m.skip[entry.Name()] {
			continue
		}
		if m.count++; m.count > maxFiles {
			return fmt.Errorf("%w: they have more than %d files", ErrHeaders, maxFiles)
		}
		file, info, err := m.resolve(path.Join(from, entry.Name()))
		if err != nil {
			return err
		}
		to := path.Join(below, entry.Name())
		switch {
		case info.IsDir():
			err = m.merge(file, to, depth+1)
		case info.Mode().IsRegular():
			err = os.Link(filepath.Join(m.root, file), filepath.Join(m.to, to))
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// check returns the files of the tree if it can be one.
func (m *merger) check(b *kbuild.Build) ([]string, error) {
	for _, name := range []string{"Makefile", "include/config/auto.conf", releaseFile, "include/linux/module.h", "scripts/Makefile.modpost", "scripts/mod/modpost"} {
		if _, err := os.Stat(filepath.Join(m.to, name)); err != nil {
			return nil, m.lacks(name, name)
		}
	}
	values, err := CheckTree(b)
	if err != nil {
		return nil, err
	}
	if !values.On(b.Arch.Option) {
		return nil, fmt.Errorf("%w for %s: %s is off in their configuration: take the packages of that architecture", ErrHeaders, b.Arch.Name, b.Arch.Option)
	}
	return treeFiles(m.to, b.Arch.SrcArch)
}
