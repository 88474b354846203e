package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/external"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/source"
)

// compilation is what kernel compile was asked for.
type compilation struct {
	source, defconfig, configFile string
	patches, fragments            []string
	certificates                  certificates

	image, vmlinux, config, systemMap, release string
	modules, objects, moduleTree, symvers      string
}

func compileCommand() *cobra.Command {
	var c compilation
	cmd := &cobra.Command{
		Use:     "compile --arch ARCH --source FILE {--defconfig NAME | --config-file FILE} [OPTION...]",
		GroupID: groupKernels,
		Short:   "Compile a kernel from its source",
		Long: `Compile a kernel from its source, and save what kernel link needs to link it again with
another initramfs. After an error, the exit code is 1 and there are no results. Wrong
usage exits with 2.`,
		Example: "kernel compile --arch x86_64 --source linux.tar.xz --defconfig defconfig --image bzImage --objects objects",
		Args:    cli.Args(),
	}
	build := addBuildOptions(cmd)
	cli.Options(cmd, "Source and configuration", func(flags *pflag.FlagSet) {
		flags.StringVar(&c.source, "source", "", "Compile the source in the tarball `FILE`")
		flags.StringArrayVar(&c.patches, "patch", nil, "Apply the patch `FILE` with -p1; may be repeated")
		flags.StringVar(&c.defconfig, "defconfig", "", "Start from the configuration that kbuild calls `NAME`")
		flags.StringVar(&c.configFile, "config-file", "", "Start from the configuration in `FILE`")
		flags.StringArrayVar(&c.fragments, "fragment", nil, "Override the configuration with the values in `FILE`; may be repeated")
		c.certificates.addOptions(flags)
	})
	cli.Options(cmd, "Results", func(flags *pflag.FlagSet) {
		addImageOptions(flags, &c.image, &c.vmlinux, &c.config, &c.systemMap)
		flags.StringVar(&c.release, "release", "", "Write the output of uname -r to `FILE`")
		flags.StringVar(&c.modules, "modules", "", "Install the modules into `DIR`, new or empty")
		flags.StringVar(&c.objects, "objects", "", "Write what kernel link needs to `FILE`")
		flags.StringVar(&c.moduleTree, "module-tree", "", "Write what kernel module needs to `FILE`")
		flags.StringVar(&c.symvers, "symvers", "", "Write what the kernel exports to modules, its Module.symvers, to `FILE`")
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cli.Required(cmd, "arch", "source"); err != nil {
			return err
		}
		if err := cli.Exclusive(cmd, "defconfig", "config-file"); err != nil {
			return err
		}
		if c.defconfig == "" && c.configFile == "" {
			return cli.Usagef(cmd, "missing option --defconfig NAME or --config-file FILE")
		}
		return c.start(cmd.Context(), build)
	}
	return cmd
}

// start checks the toolchain and the inputs that can be checked early, and compiles.
func (c *compilation) start(ctx context.Context, options *buildOptions) error {
	if err := options.toolchain.CheckCompile(ctx); err != nil {
		return err
	}
	fragments, err := readFragments(c.fragments)
	if err != nil {
		return err
	}
	if err := c.certificates.read(fragments); err != nil {
		return err
	}
	if c.modules != "" {
		if err := makeEmpty(c.modules); err != nil {
			return err
		}
	}
	return options.withBuild(ctx, func(build *kbuild.Build) error { return c.run(ctx, build, fragments) })
}

func readFragments(names []string) ([]config.Assignment, error) {
	var all []config.Assignment
	for _, name := range names {
		fragment, err := config.Read(name)
		if err != nil {
			return nil, err
		}
		for _, a := range fragment {
			if a.Symbol == config.InitramfsSource && !isDefault(a.Value) {
				return nil, fmt.Errorf("%s:%d: %w", a.File, a.Line, errInitramfsSource)
			}
		}
		all = append(all, fragment...)
	}
	return all, nil
}

var errInitramfsSource = errors.New(config.InitramfsSource + ": leave it out: the kernel is linked with an initramfs later")

// isDefault reports whether a kernel with this value of CONFIG_INITRAMFS_SOURCE has its own
// default initramfs.
func isDefault(initramfsSource string) bool { return initramfsSource == "n" || initramfsSource == `""` }

func (c *compilation) run(ctx context.Context, build *kbuild.Build, fragments []config.Assignment) error {
	tree, err := unpackSource(ctx, build, c.source, c.patches, nil)
	if err != nil {
		return err
	}
	if err := c.certificates.write(build.Dir); err != nil {
		return err
	}
	own := c.certificates.paths.Assignments()
	for _, a := range own {
		fmt.Fprintln(build.Log, "certificates:", a)
	}
	changes := slices.Concat(fragments, own)
	if err := build.Configure(ctx, c.defconfig, c.configFile, changes); err != nil {
		return err
	}
	values, err := build.Values()
	if err != nil {
		return err
	}
	if !isDefault(values.Get(config.InitramfsSource)) {
		return errInitramfsSource
	}
	kconfig := func() config.Kconfig { return config.ReadKconfig(build.Dir, build.Arch.SrcArch) }
	if err := config.Check(values, fragments, kconfig); err != nil {
		return err
	}
	if err := c.warnLost(build.Log, values, changes, kconfig); err != nil {
		return err
	}
	if err := c.certificates.check(values); err != nil {
		return err
	}
	if err := cmp.Or(config.CheckSigning(values), config.CheckFiles(values, build.Dir)); err != nil {
		return err
	}
	if err := build.Compile(ctx, values.On(config.Modules)); err != nil {
		return err
	}
	return c.write(ctx, build, tree, values)
}

// maxWarnings is the number of lost values of a whole configuration that warnings name. The log
// has all.
const maxWarnings = 10

// warnLost warns about values of the whole configuration that kbuild has changed. This is not
// an error: a configuration that was made for another version of the kernel has options that
// this one lacks.
func (c *compilation) warnLost(log io.Writer, values config.Values, fragments []config.Assignment, kconfig func() config.Kconfig) error {
	if c.configFile == "" {
		return nil
	}
	whole, err := config.Read(c.configFile)
	if err != nil {
		return err
	}
	overridden := map[string]bool{}
	for _, a := range fragments {
		overridden[a.Symbol] = true
	}
	whole = slices.DeleteFunc(whole, func(a config.Assignment) bool { return overridden[a.Symbol] })
	lost := config.Lost(values, whole, kconfig())
	for i, err := range lost {
		fmt.Fprintln(log, "lost:", err)
		if i < maxWarnings {
			fmt.Fprintln(os.Stderr, "kernel: warning:", err)
		}
	}
	if left := len(lost) - maxWarnings; left > 0 {
		fmt.Fprintf(os.Stderr, "kernel: warning: %s: %d more values are lost; the log names them\n", c.configFile, left)
	}
	return nil
}

// write writes the results, or none after an error.
func (c *compilation) write(ctx context.Context, build *kbuild.Build, tree *source.Tree, values config.Values) (err error) {
	if c.modules != "" && values.On(config.Modules) {
		defer func() {
			if err != nil {
				err = errors.Join(err, empty(c.modules))
			}
		}()
		if err := build.InstallModules(ctx, c.modules); err != nil {
			return err
		}
	}
	kernel := []output{
		{c.image, build.Arch.Image},
		{c.vmlinux, "vmlinux"},
		{c.config, kbuild.ConfigFile},
		{c.systemMap, "System.map"},
		{c.release, "include/config/kernel.release"},
	}
	if err := copyOutputs(build, kernel); err != nil {
		return err
	}
	own := []output{{name: c.moduleTree}, {name: c.symvers}}
	err = c.writeForModules(ctx, build, values)
	// The link changes the build directory.
	if err == nil {
		err = c.writeObjects(ctx, build, tree, values)
	}
	if err != nil {
		removeOutputs(append(kernel, own...))
	}
	return err
}

// writeForModules writes what modules out of the kernel's tree are compiled with. Without
// CONFIG_MODULES that is the configuration alone, which says why there is nothing else.
func (c *compilation) writeForModules(ctx context.Context, build *kbuild.Build, values config.Values) error {
	if c.symvers != "" {
		if values.On(config.Modules) {
			if err := build.CopyTo(c.symvers, external.Symvers); err != nil {
				return err
			}
		} else if err := os.WriteFile(c.symvers, nil, 0o644); err != nil {
			return err
		}
	}
	if c.moduleTree == "" {
		return nil
	}
	names, err := external.KeepTree(ctx, build, values)
	if err != nil {
		return err
	}
	size, err := saveSnapshot(c.moduleTree, snapshot.ModuleTree, build, names)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(build.Log, "files for modules out of the tree: %d, %d bytes\n", len(names), size)
	return err
}

// writeObjects writes what another link needs. After it, the build directory is only good for
// a link.
func (c *compilation) writeObjects(ctx context.Context, build *kbuild.Build, tree *source.Tree, values config.Values) error {
	if c.objects == "" {
		return nil
	}
	// A kernel without CONFIG_BLK_DEV_INITRD has no CONFIG_INITRAMFS_SOURCE. Its objects are
	// still written: kernel link reports what is missing.
	if values.On(config.Initrd) {
		if err := build.PrepareLink(ctx); err != nil {
			return err
		}
	}
	folder := &snapshot.BuildDir{
		Dir:     build.Dir,
		Source:  tree.Files,
		Image:   build.Arch.Image,
		Tools:   kbuild.Tools,
		Modules: values.On("CONFIG_TRIM_UNUSED_KSYMS"),
	}
	names, total, err := folder.Prune()
	if err != nil {
		return err
	}
	size, err := saveSnapshot(c.objects, snapshot.Objects, build, names)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(build.Log, "objects for links: %d of %d files, %d bytes\n", len(names), total, size)
	return err
}
