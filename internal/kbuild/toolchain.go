package kbuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Toolchain holds what compiles a kernel.
type Toolchain struct {
	// Path are the directories to search for programs, separated by colons.
	Path string
	// Cross is the prefix of the compiler's name before gcc, such as aarch64-linux-gnu-. It is
	// empty for the native compiler.
	Cross string
	// CompilerVersion and LinkerVersion are the first lines that gcc --version and
	// ld --version must print. If one is empty, any version will do.
	CompilerVersion, LinkerVersion string
}

// Compiler returns the name of the compiler.
func (t Toolchain) Compiler() string { return t.Cross + "gcc" }

// LookPath returns the path of a program.
func (t Toolchain) LookPath(program string) (string, error) {
	for _, dir := range filepath.SplitList(t.Path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		name := filepath.Join(dir, program)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s: %w", program, fs.ErrNotExist)
}

// program is a program that kbuild runs, its purpose, and how to install it.
type program struct{ name, purpose, install string }

// linkPrograms returns the programs that every run of kbuild needs.
func (t Toolchain) linkPrograms() []program {
	compiler := "install gcc"
	if t.Cross != "" {
		compiler = "install the cross compiler, on Debian gcc-" + strings.TrimSuffix(t.Cross, "-")
	}
	return []program{
		{t.Compiler(), "compiles the kernel", compiler},
		{t.Cross + "ld", "links the kernel", "install binutils for it"},
		{"make", "runs kbuild", "install make"},
	}
}

// compilePrograms are those that a compile from source needs besides.
var compilePrograms = []program{
	{"gcc", "compiles kbuild's own programs", "install gcc"},
	{"flex", "makes kbuild's lexers", "install flex"},
	{"bison", "makes kbuild's parsers", "install bison"},
	{"bc", "computes the kernel's time constants", "install bc"},
}

// CheckLink checks that the programs that a link needs exist, and that compiler and linker have
// the expected versions. The error has a line for each program that is missing.
func (t Toolchain) CheckLink(ctx context.Context) error {
	return t.check(ctx, t.linkPrograms())
}

// CheckCompile does the same for the programs that a compile needs.
func (t Toolchain) CheckCompile(ctx context.Context) error {
	return t.check(ctx, append(t.linkPrograms(), compilePrograms...))
}

func (t Toolchain) check(ctx context.Context, programs []program) error {
	if err := t.find(programs); err != nil {
		return err
	}
	return errors.Join(
		t.checkVersion(ctx, t.Compiler(), t.CompilerVersion),
		t.checkVersion(ctx, t.Cross+"ld", t.LinkerVersion),
	)
}

func (t Toolchain) find(programs []program) error {
	var errs []error
	reported := map[string]bool{}
	for _, p := range programs {
		if _, err := t.LookPath(p.name); err != nil && !reported[p.name] {
			reported[p.name] = true
			errs = append(errs, fmt.Errorf("%s is not in %s: it %s: %s", p.name, t.Path, p.purpose, p.install))
		}
	}
	return errors.Join(errs...)
}

func (t Toolchain) checkVersion(ctx context.Context, program, want string) error {
	if want == "" {
		return nil
	}
	name, err := t.LookPath(program)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, name, "--version")
	cmd.Env = []string{"LC_ALL=C", "PATH=" + t.Path}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", name, err)
	}
	if version, _, _ := strings.Cut(string(out), "\n"); version != want {
		return fmt.Errorf("%s is %q, but the toolchain was configured for %q: configure it again (bazel fetch --force --configure), or register a kernel_toolchain", name, version, want)
	}
	return nil
}
