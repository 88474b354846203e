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

// Toolchain is what compiles a kernel.
type Toolchain struct {
	// Path is where programs are looked for: folders, a colon between two.
	Path string
	// Cross is what the compiler's name has before gcc, such as aarch64-linux-gnu-; empty for
	// the machine's own.
	Cross string
	// CompilerVersion and LinkerVersion are what these must say of themselves, first lines of
	// gcc --version and ld --version; empty for anything.
	CompilerVersion, LinkerVersion string
}

// Compiler is the compiler's name.
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

// program is one that kbuild calls, with what it is for.
type program struct{ name, purpose, get string }

// linking is what every run of kbuild calls.
func (t Toolchain) linking() []program {
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

// compiling is what a compile from source calls besides.
var compiling = []program{
	{"gcc", "compiles kbuild's own programs", "install gcc"},
	{"flex", "makes kbuild's lexers", "install flex"},
	{"bison", "makes kbuild's parsers", "install bison"},
	{"bc", "computes the kernel's time constants", "install bc"},
}

// CheckLink checks that there is what a link needs, and that compiler and linker are those that
// are expected. The error has a line for each program that is not there.
func (t Toolchain) CheckLink(ctx context.Context) error {
	return t.check(ctx, t.linking())
}

// CheckCompile checks what CheckLink does, and that there is what a compile needs.
func (t Toolchain) CheckCompile(ctx context.Context) error {
	return t.check(ctx, append(t.linking(), compiling...))
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
	var faults []error
	reported := map[string]bool{}
	for _, p := range programs {
		if _, err := t.LookPath(p.name); err != nil && !reported[p.name] {
			reported[p.name] = true
			faults = append(faults, fmt.Errorf("there is no %s in %s, which %s: %s", p.name, t.Path, p.purpose, p.get))
		}
	}
	return errors.Join(faults...)
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
		return fmt.Errorf("%s is %q, and the toolchain was set up for %q: have Bazel look again (bazel fetch --force --configure), or register a kernel_toolchain", name, version, want)
	}
	return nil
}
