package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/source"
)

const compileHelp = `Usage: kernel compile --arch ARCH --source FILE (--defconfig NAME | --config-file FILE) [OPTION...]

Compiles a kernel and writes what is needed to link it anew with another initramfs.

`

// compilation is what runCompile was asked for.
type compilation struct {
	source, defconfig, configFile string
	patches, fragments            files

	image, vmlinux, config, systemMap, release string
	modules, objects                           string
}

func runCompile(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("kernel compile", flag.ContinueOnError)
	common := addBuildFlags(flags)
	var c compilation
	flags.StringVar(&c.source, "source", "", "compile the source in the tarball `FILE`")
	flags.Var(&c.patches, "patch", "apply the patch `FILE`, with -p1; may be given more than once")
	flags.StringVar(&c.defconfig, "defconfig", "", "begin with the configuration that kbuild calls `NAME`")
	flags.StringVar(&c.configFile, "config-file", "", "begin with the configuration in `FILE`")
	flags.Var(&c.fragments, "fragment", "put the values in `FILE` in place of the configuration's; may be given more than once")
	flags.StringVar(&c.image, "image", "", "write the image to `FILE`")
	flags.StringVar(&c.vmlinux, "vmlinux", "", "write the ELF image to `FILE`")
	flags.StringVar(&c.config, "config", "", "write the configuration to `FILE`")
	flags.StringVar(&c.systemMap, "system-map", "", "write the addresses of the symbols to `FILE`")
	flags.StringVar(&c.release, "release", "", "write what uname -r says to `FILE`")
	flags.StringVar(&c.modules, "modules", "", "install the modules into `FOLDER`, new or empty")
	flags.StringVar(&c.objects, "objects", "", "write what kernel link needs to `FILE`")
	if err := parseFlags(flags, compileHelp, args); err != nil {
		return err
	}
	if common.arch == "" || c.source == "" {
		return cli.UsageFault(flags, "want --arch and --source")
	}
	if (c.defconfig == "") == (c.configFile == "") {
		return cli.UsageFault(flags, "want one of --defconfig and --config-file")
	}
	if err := common.toolchain.CheckCompile(ctx); err != nil {
		return err
	}
	fragments, err := readFragments(c.fragments)
	if err != nil {
		return err
	}
	if c.modules != "" {
		if err := makeEmpty(c.modules); err != nil {
			return err
		}
	}
	return common.withBuild(ctx, func(build *kbuild.Build) error { return c.run(ctx, build, fragments) })
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

var errInitramfsSource = errors.New(config.InitramfsSource + ": leave it out: kernel_image links an initramfs in")

// isDefault tells whether a kernel with this value of CONFIG_INITRAMFS_SOURCE has its own
// default initramfs.
func isDefault(initramfsSource string) bool { return initramfsSource == "n" || initramfsSource == `""` }

func (c *compilation) run(ctx context.Context, build *kbuild.Build, fragments []config.Assignment) error {
	tree, err := c.unpack(ctx, build)
	if err != nil {
		return err
	}
	if err := build.Configure(ctx, c.defconfig, c.configFile, fragments); err != nil {
		return err
	}
	values, err := build.Values()
	if err != nil {
		return err
	}
	if !isDefault(values.Get(config.InitramfsSource)) {
		return errInitramfsSource
	}
	findOption := func(symbol string) *config.Option {
		return config.FindOption(build.Dir, build.Arch.SrcArch, symbol)
	}
	if err := config.Check(values, fragments, findOption); err != nil {
		return err
	}
	if err := build.Compile(ctx, values.On(config.Modules)); err != nil {
		return err
	}
	return c.write(ctx, build, tree, values)
}

func (c *compilation) unpack(ctx context.Context, build *kbuild.Build) (*source.Tree, error) {
	tree, err := source.Unpack(ctx, c.source, build.Dir, build.Toolchain.LookPath)
	if err != nil {
		return nil, err
	}
	if err := tree.Check(build.Arch.SrcArch); err != nil {
		return nil, fmt.Errorf("%s: %w", c.source, err)
	}
	for _, patch := range c.patches {
		if err := tree.Patch(ctx, patch, build.Toolchain.LookPath); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// write writes the results; after an error there are none.
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
	if err := c.writeObjects(ctx, build, tree, values); err != nil {
		removeOutputs(kernel)
		return err
	}
	return nil
}

// writeObjects writes what another link needs. Nothing but a link can be done with the folder
// after it.
func (c *compilation) writeObjects(ctx context.Context, build *kbuild.Build, tree *source.Tree, values config.Values) (err error) {
	if c.objects == "" {
		return nil
	}
	// A kernel without an initramfs has no option for its source; its objects serve to say so.
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
	names, of, err := folder.Prune()
	if err != nil {
		return err
	}
	file, err := os.Create(c.objects)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			os.Remove(c.objects)
		}
	}()
	out := bufio.NewWriterSize(file, 1<<20)
	if err := errors.Join(snapshot.Pack(out, build.Dir, build.Arch.Name, names), out.Flush()); err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(build.Log, "objects for links: %d of the folder's %d files, %d bytes\n", len(names), of, info.Size())
	return err
}
