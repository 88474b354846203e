package modules

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ErrKernel means that a directory does not have the modules of one kernel.
var ErrKernel = errors.New("not the modules of one kernel")

// Kernel is where the modules of a kernel are.
type Kernel struct {
	// Release is the kernel's release, as uname -r prints it; empty if Dir does not say.
	Release string
	// Dir is the directory lib/modules/RELEASE.
	Dir string
	// Prefix is what is before modules/RELEASE: lib or usr/lib; empty if Dir was given itself.
	Prefix string
}

// FindKernel finds the modules of a kernel in a directory, which has lib/modules/RELEASE or
// usr/lib/modules/RELEASE, or is RELEASE itself. More than one kernel is an error.
func FindKernel(dir string) (Kernel, error) {
	var found []Kernel
	var first os.FileInfo
	for _, prefix := range []string{"usr/lib", "lib"} {
		modules := filepath.Join(dir, prefix, "modules")
		info, err := os.Stat(modules)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return Kernel{}, err
		case first != nil && os.SameFile(first, info): // lib is a link to usr/lib
			continue
		}
		first = info
		entries, err := os.ReadDir(modules)
		if err != nil {
			return Kernel{}, err
		}
		for _, e := range entries {
			release := filepath.Join(modules, e.Name())
			if info, err := os.Stat(release); err == nil && info.IsDir() {
				found = append(found, Kernel{Release: e.Name(), Dir: release, Prefix: prefix})
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var names []string
		for _, k := range found {
			names = append(names, path.Join(k.Prefix, "modules", k.Release))
		}
		return Kernel{}, fmt.Errorf("%w: %s has %s: name one of these directories", ErrKernel, dir, strings.Join(names, " and "))
	case first != nil:
		return Kernel{}, fmt.Errorf("%w: %s has no directory of a kernel's release in its directory modules", ErrKernel, dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Kernel{}, err
	}
	if !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "kernel" || strings.HasPrefix(e.Name(), "modules.") }) {
		return Kernel{}, fmt.Errorf("%w: %s has neither lib/modules/RELEASE nor the directory kernel: name the directory into which the kernel's modules_install wrote, or one in which its package is unpacked", ErrKernel, dir)
	}
	return Kernel{Dir: dir}, nil
}

// CheckRelease returns an error if a directory is not lib/modules/RELEASE, and says which one may be meant.
func CheckRelease(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if isRelease(entries) {
		return nil
	}
	meant := ""
	kernel, err := FindKernel(dir)
	switch {
	case err == nil && kernel.Release != "":
		meant = kernel.Dir
	case err != nil && kernel.Release == "":
		// It may be lib/modules.
		for _, e := range entries {
			release := filepath.Join(dir, e.Name())
			if inside, err := os.ReadDir(release); err == nil && isRelease(inside) {
				meant = release
			}
		}
	}
	if meant != "" {
		meant = fmt.Sprintf(": did you mean %s?", meant)
	}
	return fmt.Errorf("%w: %s has neither the directory kernel, updates or extra nor the file %s: name lib/modules/RELEASE%s", ErrKernel, dir, OrderFile, meant)
}

// isRelease reports whether these are the entries of a directory lib/modules/RELEASE.
func isRelease(entries []os.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		switch e.Name() {
		case "kernel", "updates", "extra", OrderFile, BuiltinFile:
			return true
		}
		return false
	})
}

// ConfigFile returns the name of the kernel's .config, if it is where packages have it: next to the
// modules, or in boot with the release in its name. It is empty if the kernel has none.
func (k Kernel) ConfigFile() string {
	candidates := []string{filepath.Join(k.Dir, "config")}
	if k.Prefix != "" {
		root := strings.TrimSuffix(k.Dir, filepath.Join(k.Prefix, "modules", k.Release))
		candidates = append(candidates, filepath.Join(root, "boot", "config-"+k.Release))
	}
	for _, file := range candidates {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

// Name sets the release from the modules if the directory did not say it, and checks that all
// modules are of this release.
func (k *Kernel) Name(tree *Tree) error {
	if k.Release == "" {
		k.Release = filepath.Base(k.Dir)
		if len(tree.Modules) > 0 {
			k.Release = releaseOf(tree.Modules[0])
		}
	}
	if k.Release == "" || !filepath.IsLocal(k.Release) || strings.ContainsRune(k.Release, '/') {
		return fmt.Errorf("%w: %q is not a kernel's release", ErrKernel, k.Release)
	}
	for _, m := range tree.Modules {
		if release := releaseOf(m); release != k.Release {
			return fmt.Errorf("%w: %s is for %s, and the kernel is %s: remove the modules of the other kernel", ErrVermagic, m.Path, release, k.Release)
		}
	}
	return nil
}

// CheckCatalog returns an error if a tree, which was read from a catalog, is not of the kernel: its
// modules are of another release, or the kernel's own files are not those in the directory.
func (k Kernel) CheckCatalog(t *Tree) error {
	isOwn := func(m *Module) bool { return releaseOf(m) == k.Release }
	same := k.Release == "" || len(t.Modules) == 0 || slices.ContainsFunc(t.Modules, isOwn)
	for _, f := range t.files() {
		content, err := readKernelFile(os.DirFS(k.Dir), f.name)
		if err != nil {
			return fmt.Errorf("%s: %w", k.Dir, err)
		}
		same = same && bytes.Equal(content, *f.content) && (content == nil) == (*f.content == nil)
	}
	if !same {
		return fmt.Errorf("%w: it is of another kernel than that in %s, or the directory has changed: write it again with packer modules --write-catalog", ErrCatalog, k.Dir)
	}
	return nil
}

// SetBuiltins replaces the kernel's modules.builtin and modules.builtin.modinfo; nil leaves one as it
// is.
func (t *Tree) SetBuiltins(builtin, info []byte) (err error) {
	if builtin != nil {
		t.Builtin = builtin
	}
	if info != nil {
		t.BuiltinInfo = info
	}
	t.Builtins, err = parseBuiltins(t.KernelFiles)
	return err
}

// releaseOf returns the release that a module was built for.
func releaseOf(m *Module) string {
	release, _, _ := strings.Cut(m.Info.Vermagic(), " ")
	return release
}

// Added is a module from elsewhere that Add adds.
type Added struct {
	*Module
	// File is the module's file.
	File string
}

// ReadAdded reads modules that were built out of the kernel's tree. Their paths are
// updates/NAME.ko, where modprobe prefers them.
func ReadAdded(files []string) ([]Added, error) {
	var added []Added
	var errs []error
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		if !IsModule(name) {
			errs = append(errs, fmt.Errorf("%s: %w: its name does not end with .ko, .ko.gz, .ko.xz or .ko.zst", name, ErrNotModule))
		} else if m, err := Read(name, file); err != nil {
			errs = append(errs, err)
		} else if own := m.Info.Value("name"); own != "" && Name(own) != m.Name {
			errs = append(errs, fmt.Errorf("%s: %w: its name is that of %s, and its modinfo says %s: rename it to %s.ko", name, ErrName, m.Name, own, own))
		} else {
			m.Path = "updates/" + filepath.Base(name)
			added = append(added, Added{m, name})
		}
		file.Close()
	}
	return added, errors.Join(errs...)
}

// version is the checksum of a symbol, and the module that has it.
type version struct {
	crc uint32
	of  *Module
}

// symbolVersions returns the checksums of the symbols of a kernel with CONFIG_MODVERSIONS, as far as
// its modules have them. Those of the module that exports a symbol come before those of its users.
func symbolVersions(modules []*Module, added []Added) map[string]version {
	versions := map[string]version{}
	note := func(m *Module, symbols []Symbol) {
		for _, s := range symbols {
			if s.CRC != 0 {
				versions[s.Name] = version{s.CRC, m}
			}
		}
	}
	for _, m := range modules {
		note(m, m.Imports)
	}
	for _, m := range modules {
		note(m, m.Exports)
	}
	for _, m := range added {
		note(m.Module, m.Exports)
	}
	return versions
}

// checkVersions returns an error if a module uses a symbol with another checksum, at which the
// kernel refuses to load it ("disagrees about version of symbol").
func checkVersions(m Added, versions map[string]version) []error {
	for _, s := range m.Imports {
		if v := versions[s.Name]; s.CRC != 0 && v.crc != 0 && v.crc != s.CRC {
			return []error{fmt.Errorf("%w: %s uses %s with the checksum %#08x, and %s has %#08x: build it with the headers of this kernel", ErrVersion, m.File, s.Name, s.CRC, v.of.Path, v.crc)}
		}
	}
	return nil
}

// Add adds modules to a tree. Each must be for the tree's architecture, have its vermagic, and agree
// with it about the types of symbols. It replaces the module of the tree that has its name; those are returned.
func (t *Tree) Add(added []Added, release string) (replaced []*Module, err error) {
	var errs []error
	modules := slices.Clone(t.Modules)
	byName := map[string]Added{}
	versions := symbolVersions(t.Modules, added)
	for _, m := range added {
		want := release
		if len(t.Modules) > 0 {
			want = t.Modules[0].Info.Vermagic()
		}
		got := m.Info.Vermagic()
		if len(t.Modules) == 0 {
			got = releaseOf(m.Module)
		}
		switch other := byName[m.Name]; {
		case other.Module != nil:
			errs = append(errs, fmt.Errorf("%w: %s and %s are both the module %s: remove one of them", ErrTree, other.File, m.File, m.Name))
		case len(t.Modules) > 0 && m.Arch != t.Modules[0].Arch:
			errs = append(errs, fmt.Errorf("%w: %s is for %v, and the kernel is for %v: build it for this kernel", ErrArchitecture, m.File, m.Arch, t.Modules[0].Arch))
		case strings.TrimSpace(got) != strings.TrimSpace(want):
			errs = append(errs, fmt.Errorf("%w: %s has the vermagic %q, and the kernel %q: build it with the headers of this kernel", ErrVermagic, m.File, got, want))
		}
		errs = append(errs, checkVersions(m, versions)...)
		byName[m.Name] = m
		// One that replaces a module below updates takes its place.
		modules = slices.DeleteFunc(modules, func(o *Module) bool {
			same := o.Name == m.Name
			if same {
				replaced = append(replaced, o)
			}
			return same
		})
		modules = append(modules, m.Module)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	t.Modules, err = Sort(modules, t.Order)
	return replaced, err
}
