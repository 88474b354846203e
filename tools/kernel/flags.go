package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// parseFlags parses the arguments of a command with this help, none of which may be left.
func parseFlags(flags *flag.FlagSet, help string, args []string) error {
	if err := cli.ParseFlags(flags, help, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return cli.UsageFault(flags, "unexpected argument %q", flags.Arg(0))
	}
	return nil
}

// files is a flag that may be given more than once.
type files []string

func (f *files) String() string { return strings.Join(*f, " ") }

func (f *files) Set(name string) error {
	*f = append(*f, name)
	return nil
}

// buildFlags are those that compile and link share.
type buildFlags struct {
	arch      string
	toolchain kbuild.Toolchain
	jobs      int
	work      string
	log       string
}

func addBuildFlags(flags *flag.FlagSet) *buildFlags {
	b := &buildFlags{}
	flags.StringVar(&b.arch, "arch", "", "build for `ARCH`: "+strings.Join(arch.Names(), ", "))
	flags.StringVar(&b.toolchain.Path, "path", os.Getenv("PATH"), "look for programs in these `FOLDERS`, a colon between two; by default $PATH")
	flags.StringVar(&b.toolchain.Cross, "cross-compile", "", "put `PREFIX` before the names of the compiler's programs, such as aarch64-linux-gnu-")
	flags.StringVar(&b.toolchain.CompilerVersion, "compiler-version", "", "fail if the first line of gcc --version is another `TEXT`")
	flags.StringVar(&b.toolchain.LinkerVersion, "linker-version", "", "fail if the first line of ld --version is another `TEXT`")
	flags.IntVar(&b.jobs, "jobs", runtime.NumCPU(), "run `N` commands at once")
	flags.StringVar(&b.work, "work", ".", "make the build folder in `FOLDER`; it is removed in the end")
	flags.StringVar(&b.log, "log", "", "write what kbuild prints to `FILE`")
	return b
}

// withBuild makes a build folder, and removes it after use.
func (f *buildFlags) withBuild(ctx context.Context, use func(*kbuild.Build) error) error {
	arch, err := arch.Find(f.arch)
	if err != nil {
		return err
	}
	work, err := filepath.Abs(f.work)
	if err != nil {
		return err
	}
	if strings.ContainsAny(work, " \t\n:") {
		return fmt.Errorf("%q: kbuild cannot build in a folder with blanks or colons in its path: give another --work", work)
	}
	dir, err := os.MkdirTemp(work, "kernel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var log io.Writer = io.Discard
	if f.log != "" {
		file, err := os.Create(f.log)
		if err != nil {
			return err
		}
		defer file.Close()
		log = file
	}
	return use(&kbuild.Build{Dir: dir, Arch: arch, Toolchain: f.toolchain, Jobs: f.jobs, Log: log})
}
