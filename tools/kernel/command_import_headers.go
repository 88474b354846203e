package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/unpack"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/external"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// headersImport is what kernel import-headers was asked for.
type headersImport struct {
	headers, release    string
	moduleTree, symvers string
}

func importHeadersCommand() *cobra.Command {
	var h headersImport
	cmd := &cobra.Command{
		Use:     "import-headers --arch ARCH --headers FILE --module-tree FILE [OPTION...]",
		GroupID: groupModules,
		Short:   "Make a module tree of a distribution's headers packages",
		Long: `Make what kernel module needs of the headers packages of a distribution, such as Debian's
linux-headers-RELEASE, linux-headers-RELEASE-common and linux-kbuild-RELEASE, all in one
cpio archive, which packer pack makes of them. The programs in them must run on the machine
that compiles modules. After an error, the exit code is 1 and there are no results. Wrong
usage exits with 2.`,
		Example: "packer pack --out headers.cpio linux-headers-*.deb linux-kbuild-*.deb\nkernel import-headers --arch x86_64 --headers headers.cpio --module-tree tree",
		Args:    cli.Args(),
	}
	build := &buildOptions{}
	cli.Options(cmd, "Build", func(flags *pflag.FlagSet) { build.addPlace(flags) })
	cli.Options(cmd, "Inputs", func(flags *pflag.FlagSet) {
		flags.StringVar(&h.headers, "headers", "", "Take the content of the packages from the archive `FILE`")
		flags.StringVar(&h.release, "release", "", "Fail unless the headers are of the kernel whose uname -r prints `TEXT`")
	})
	cli.Options(cmd, "Results", func(flags *pflag.FlagSet) {
		flags.StringVar(&h.moduleTree, "module-tree", "", "Write what kernel module needs to `FILE`")
		flags.StringVar(&h.symvers, "symvers", "", "Write what the kernel exports to modules, its Module.symvers, to `FILE`")
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cli.Required(cmd, "arch", "headers", "module-tree"); err != nil {
			return err
		}
		return build.withBuild(cmd.Context(), func(build *kbuild.Build) error { return h.run(cmd.Context(), build) })
	}
	return cmd
}

func (h *headersImport) run(ctx context.Context, build *kbuild.Build) error {
	// Beside the tree, and on the same file system.
	packages := build.Dir + ".packages"
	defer os.RemoveAll(packages)
	if err := unpackArchive(ctx, h.headers, packages); err != nil {
		return fmt.Errorf("%s: %w", h.headers, err)
	}
	names, err := external.ImportTree(packages, build)
	if err != nil {
		return fmt.Errorf("%s: %w", h.headers, err)
	}
	release, err := build.Release()
	if err != nil {
		return err
	}
	if h.release != "" && release != h.release {
		return fmt.Errorf("%s: headers of %q, and the kernel is %q: take the packages of this kernel", h.headers, release, h.release)
	}
	if h.symvers != "" {
		if err := build.CopyTo(h.symvers, external.Symvers); err != nil {
			return err
		}
	}
	if _, err := saveSnapshot(h.moduleTree, snapshot.ModuleTree, build, names); err != nil {
		removeOutputs([]output{{name: h.symvers}})
		return err
	}
	return nil
}

// unpackArchive unpacks a cpio archive to a new directory.
func unpackArchive(ctx context.Context, name, dir string) error {
	img, err := image.Open(ctx, name)
	if err != nil {
		return err
	}
	defer img.Close()
	var dropped error
	err = unpack.Extract(img.Reader, filepath.Clean(dir), func(loss unpack.Loss, name, reason string) {
		if loss == unpack.LossDropped {
			dropped = fmt.Errorf("%s: %s", printable.Text(name), reason)
		}
	})
	return errors.Join(err, dropped)
}
