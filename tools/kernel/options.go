package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// buildOptions are the options of the commands that build in a directory.
type buildOptions struct {
	arch      string
	toolchain kbuild.Toolchain
	jobs      int
	work      string
	log       string
}

func addBuildOptions(cmd *cobra.Command) *buildOptions {
	o := &buildOptions{jobs: runtime.NumCPU()}
	cli.Options(cmd, "Build", func(flags *pflag.FlagSet) {
		o.addPlace(flags)
		flags.StringVar(&o.toolchain.Path, "path", os.Getenv("PATH"), "Look for programs in the directories `PATH`, separated by colons (default $PATH)")
		flags.StringVar(&o.toolchain.Cross, "cross-compile", "", "Put `PREFIX` before the names of the compiler's programs, such as aarch64-linux-gnu-")
		flags.StringVar(&o.toolchain.CompilerVersion, "compiler-version", "", "Fail unless the first line of gcc --version is `TEXT`")
		flags.StringVar(&o.toolchain.LinkerVersion, "linker-version", "", "Fail unless the first line of ld --version is `TEXT`")
		cli.AddJobs(flags, &o.jobs, "Run `N` commands at once (default: one per CPU)")
		flags.StringVar(&o.log, "log", "", "Write the output of kbuild to `FILE`")
	})
	return o
}

// addPlace adds the options of commands that do not run kbuild, too.
func (o *buildOptions) addPlace(flags *pflag.FlagSet) {
	flags.StringVar(&o.arch, "arch", "", "Build for `ARCH`: "+strings.Join(arch.Names(), ", "))
	flags.StringVar(&o.work, "work", ".", "Make the build directory in `DIR`, and remove it at the end (default .)")
}

// withBuild makes a build directory, and removes it after use.
func (o *buildOptions) withBuild(ctx context.Context, use func(*kbuild.Build) error) error {
	target, err := arch.Find(o.arch)
	if err != nil {
		return err
	}
	work, err := filepath.Abs(o.work)
	if err != nil {
		return err
	}
	if strings.ContainsAny(work, " \t\n:") {
		return fmt.Errorf("%q: kbuild cannot build in a directory with spaces or colons in its path: choose another with --work", work)
	}
	dir, err := os.MkdirTemp(work, "kernel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var log io.Writer = io.Discard
	if o.log != "" {
		file, err := os.Create(o.log)
		if err != nil {
			return err
		}
		defer file.Close()
		log = file
	}
	return use(&kbuild.Build{Dir: dir, Arch: target, Toolchain: o.toolchain, Jobs: o.jobs, Log: log})
}
