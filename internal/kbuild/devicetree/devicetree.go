// Package devicetree compiles device trees as kbuild does, with the kernel's own dtc and what the
// kernel's sources of device trees include.
package devicetree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// compiler is the path of dtc in a build directory, and prefixes that of the links from which
// sources include those of all architectures: <arm64/broadcom/bcm2711.dtsi>
// (scripts/Makefile.dtbs).
const (
	compiler = "scripts/dtc/dtc"
	prefixes = "scripts/dtc/include-prefixes"
)

// warnings are those that kbuild turns off, unless W= asks for more (scripts/Makefile.dtbs).
var warnings = []string{
	"-Wno-unique_unit_address",
	"-Wno-unit_address_vs_reg",
	"-Wno-avoid_unnecessary_addr_size",
	"-Wno-alias_paths",
	"-Wno-interrupt_map",
	"-Wno-simple_bus_reg",
}

// kept matches the files of a kernel's source that BuildCompiler and Compile read.
var kept = regexp.MustCompile(`^(scripts|include/dt-bindings|include/uapi/linux|arch/[^/]+/boot/dts)/|(^|/)(Makefile|Kconfig|Kbuild)[^/]*$`)

// Keep reports whether BuildCompiler or Compile may read a file of the kernel's source.
func Keep(name string) bool { return kept.MatchString(name) }

// BuildCompiler builds dtc in a build directory that has the files of the kernel's source which
// Keep accepts. The configuration does not matter.
func BuildCompiler(ctx context.Context, build *kbuild.Build) error {
	if err := build.Configure(ctx, "allnoconfig", "", nil); err != nil {
		return err
	}
	return build.Make(ctx, "CONFIG_DTC=y", "scripts_dtc")
}

// Files returns the sorted paths below a build directory that Compile needs: dtc, and the sources
// and headers of device trees, of all architectures, because they include each other.
func Files(build *kbuild.Build) ([]string, error) {
	names := map[string]bool{compiler: true}
	dirs, err := filepath.Glob(filepath.Join(build.Dir, "arch/*/boot/dts"))
	if err != nil {
		return nil, err
	}
	for _, dir := range append(dirs, filepath.Join(build.Dir, "include/dt-bindings"), filepath.Join(build.Dir, prefixes)) {
		if err := walk(build.Dir, dir, names); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// extensions are those of what device trees are made of, and of what they include.
var extensions = []string{".dts", ".dtsi", ".dtso", ".h"}

// walk adds the sources, headers and links below dir to names, and the files in the tree at root to
// which links lead.
func walk(root, dir string, names map[string]bool) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		switch {
		case entry.Type() == fs.ModeSymlink:
			names[name] = true
			target, err := filepath.EvalSymlinks(file)
			if err != nil {
				return nil // to a directory of an architecture that has no device trees
			}
			below, err := filepath.Rel(root, target)
			if info, statErr := os.Stat(target); err == nil && statErr == nil && info.Mode().IsRegular() && filepath.IsLocal(below) {
				names[below] = true
			}
		case entry.Type().IsRegular() && slices.Contains(extensions, path.Ext(name)):
			names[name] = true
		}
		return nil
	})
}

// Source is a device tree or an overlay to compile.
type Source struct {
	// File is its path: .dts, or .dtso for an overlay.
	File string
	// Include are directories to look for included files in, after that of File and before the
	// kernel's.
	Include []string
	// Symbols keeps the labels of the nodes, which overlays refer to. An overlay has its own
	// without it.
	Symbols bool
}

// Compile compiles a device tree to the file out, in a build directory that has the paths that
// Files has named.
func Compile(ctx context.Context, build *kbuild.Build, source Source, out string) error {
	cpp, err := build.Toolchain.LookPath("gcc")
	if err != nil {
		return err
	}
	expanded := filepath.Join(build.Dir, "expanded.dts")
	defer os.Remove(expanded)
	kernel := filepath.Join(build.Dir, prefixes)

	args := []string{"-E", "-nostdinc"}
	for _, dir := range source.Include {
		args = append(args, "-I", dir)
	}
	args = append(args, "-I", kernel, "-undef", "-D__DTS__", "-x", "assembler-with-cpp", "-o", expanded, source.File)
	if err := run(ctx, build, cpp, args); err != nil {
		return err
	}

	args = []string{"-I", "dts", "-O", "dtb", "-o", out, "-b", "0"}
	for _, dir := range append([]string{filepath.Dir(source.File)}, append(source.Include, kernel)...) {
		args = append(args, "-i", dir)
	}
	if source.Symbols {
		args = append(args, "-@")
	}
	args = append(args, warnings...)
	err = run(ctx, build, filepath.Join(build.Dir, compiler), append(args, expanded))
	if err != nil {
		os.Remove(out)
	}
	return err
}

// run runs a program. Its error has what the program printed. Warnings of a program that succeeds
// go to the log.
func run(ctx context.Context, build *kbuild.Build, program string, args []string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + build.Toolchain.Path}
	printed, err := cmd.CombinedOutput()
	text := strings.ReplaceAll(string(printed), build.Dir+"/", "")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return printable.Block(fmt.Errorf("%s failed (%w):\n%s", filepath.Base(program), err, kbuild.Excerpt(text)))
	case err != nil:
		return err
	}
	_, err = build.Log.Write(printed)
	return err
}
