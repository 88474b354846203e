// Package external compiles modules out of the kernel's tree.
//
// They are compiled with a module tree: what the kernel's own scripts/package/install-extmod-build
// installs of a build directory. It comes from a kernel that was compiled here, or from the headers
// packages of a distribution.
package external

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
)

// Symvers is the path of the list of exported symbols, in a build directory and in that of a module.
const Symvers = "Module.symvers"

// vmlinux is the path of the kernel in a build directory. A module tree has only the kernel's type
// information there, from which those of modules follow.
const vmlinux = "vmlinux"

// btfOption makes kbuild add type information to modules.
const btfOption = "CONFIG_DEBUG_INFO_BTF_MODULES"

// KeepTree returns the sorted paths of the module tree in the directory of a compiled kernel. It
// changes vmlinux there. Without CONFIG_MODULES, the tree is only the configuration.
func KeepTree(ctx context.Context, b *kbuild.Build, values config.Values) ([]string, error) {
	if !values.On(config.Modules) {
		return []string{kbuild.ConfigFile}, nil
	}
	names, err := treeFiles(b.Dir, b.Arch.SrcArch)
	if err != nil {
		return nil, err
	}
	if !values.On(btfOption) {
		return slices.DeleteFunc(names, func(name string) bool { return name == vmlinux }), nil
	}
	return names, keepTypes(ctx, b)
}

// keepTypes drops everything from vmlinux but the type information. A link makes it again.
func keepTypes(ctx context.Context, b *kbuild.Build) error {
	program, err := b.Toolchain.LookPath(b.Toolchain.Cross + "objcopy")
	if err != nil {
		return err
	}
	file := filepath.Join(b.Dir, vmlinux)
	cmd := exec.CommandContext(ctx, program, "--only-section=.BTF", file)
	cmd.Env = []string{"LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("objcopy: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// files are the single files of a module tree.
var files = map[string]bool{
	kbuild.ConfigFile:          true,
	"Makefile":                 true,
	Symvers:                    true,
	vmlinux:                    true,
	"include/config/auto.conf": true,
	releaseFile:                true,
	"tools/objtool/objtool":    true,
	"tools/bpf/resolve_btfids/resolve_btfids": true,
}

const releaseFile = "include/config/kernel.release"

var (
	// needed matches what a module tree has of scripts and headers, and neededArch what it has of
	// the directory of the architecture.
	needed     = regexp.MustCompile(`^(scripts|include)/`)
	neededArch = regexp.MustCompile(`^([^/]*/)*(include/.*|Kbuild\.platforms|Platform)$|^Makefile[^/]*$|^(kernel/)?module\.lds$`)
	// unneeded matches what it does not have of them: configuration, other programs, and what
	// make would compare.
	unneeded = regexp.MustCompile(`^include/config/|^scripts/(atomic|dtc|kconfig|package)/|(^|/)\.[^/]*\.cmd$|\.[oa]$|^scripts/(unifdef|mod/mk_elfconfig)$`)
	// objtoolPart matches the programs that a distribution's objtool starts.
	objtoolPart = regexp.MustCompile(`^tools/objtool/objtool\.real-[^/]*$`)
)

// treeFiles returns the sorted paths of a directory that belong to a module tree.
func treeFiles(dir, srcArch string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(name, "arch/") && path.Dir(name) == "arch" && path.Base(name) != srcArch:
			return fs.SkipDir
		case entry.IsDir() && slices.Contains([]string{"Documentation", "drivers", "fs", "net", "sound"}, name):
			return fs.SkipDir
		case entry.IsDir() || !isTreeFile(name, srcArch):
			return nil
		}
		names = append(names, name)
		return nil
	})
	slices.Sort(names)
	return names, err
}

func isTreeFile(name, srcArch string) bool {
	if files[name] || objtoolPart.MatchString(name) {
		return true
	}
	below, ofArch := strings.CutPrefix(name, "arch/"+srcArch+"/")
	return (needed.MatchString(name) || ofArch && neededArch.MatchString(below)) && !unneeded.MatchString(name)
}

// ErrNoModules reports a kernel without CONFIG_MODULES.
var ErrNoModules = errors.New(config.Modules + " is off, so this kernel loads no modules: enable it")

// CheckTree checks an unpacked module tree.
func CheckTree(b *kbuild.Build) (config.Values, error) {
	values, err := b.Values()
	if err != nil {
		return nil, err
	}
	if !values.On(config.Modules) {
		return nil, ErrNoModules
	}
	return values, nil
}
