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
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/devicetree"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
)

// deviceTree is what kernel device-tree was asked for.
type deviceTree struct {
	tarball string
	patches []string
	saved   string

	sources string
	source  devicetree.Source
	out     string
}

func deviceTreeCommand() *cobra.Command {
	var d deviceTree
	cmd := &cobra.Command{
		Use: `device-tree --arch ARCH --sources FILE --dts FILE --out FILE [OPTION...]
device-tree --arch ARCH --source FILE --write-sources FILE [OPTION...]`,
		GroupID: groupModules,
		Short:   "Compile a device tree with the kernel's own compiler",
		Long: `Compile a device tree (.dts) or an overlay (.dtso) with the dtc of a kernel's source. It may
include what the kernel's own device trees include: <dt-bindings/gpio/gpio.h>,
<arm64/broadcom/bcm2711.dtsi>. The second form builds dtc, and saves it with these files,
once for a kernel. After an error, the exit code is 1 and there are no results. Wrong usage
exits with 2.`,
		Example: `kernel device-tree --arch arm64 --source linux.tar.xz --write-sources dts.tar.zst
kernel device-tree --arch arm64 --sources dts.tar.zst --dts board.dts --out board.dtb`,
		Args: cli.Args(),
	}
	build := addBuildOptions(cmd)
	cli.Options(cmd, "Device tree", func(flags *pflag.FlagSet) {
		flags.StringVar(&d.sources, "sources", "", "Use the compiler and the sources in `FILE`, which --write-sources has written")
		flags.StringVar(&d.source.File, "dts", "", "Compile `FILE`: a device tree, or an overlay (.dtso)")
		flags.StringArrayVar(&d.source.Include, "include", nil, "Look for included files in `DIR` before the kernel's; may be repeated")
		flags.BoolVar(&d.source.Symbols, "symbols", false, "Keep the labels of nodes, which overlays refer to")
		flags.StringVar(&d.out, "out", "", "Write the compiled device tree to `FILE`")
	})
	cli.Options(cmd, "Kernel", func(flags *pflag.FlagSet) {
		flags.StringVar(&d.tarball, "source", "", "Take the kernel's source from the tarball `FILE`")
		flags.StringArrayVar(&d.patches, "patch", nil, "Apply the patch `FILE` with -p1; may be repeated")
		flags.StringVar(&d.saved, "write-sources", "", "Save the compiler and the sources to `FILE`")
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if d.saved != "" {
			if err := errors.Join(cli.Required(cmd, "arch", "source"), cli.Exclusive(cmd, "write-sources", "dts")); err != nil {
				return err
			}
			return build.withBuild(cmd.Context(), func(b *kbuild.Build) error { return d.save(cmd.Context(), b) })
		}
		if err := cli.Required(cmd, "arch", "sources", "dts", "out"); err != nil {
			return err
		}
		return build.withBuild(cmd.Context(), func(b *kbuild.Build) error { return d.compile(cmd.Context(), b) })
	}
	return cmd
}

// save builds dtc, and writes what compile needs.
func (d *deviceTree) save(ctx context.Context, build *kbuild.Build) error {
	if err := build.Toolchain.CheckCompile(ctx); err != nil {
		return err
	}
	keep := devicetree.Keep
	if len(d.patches) > 0 { // they may change any file
		keep = nil
	}
	if _, err := unpackSource(ctx, build, d.tarball, d.patches, keep); err != nil {
		return err
	}
	if err := devicetree.BuildCompiler(ctx, build); err != nil {
		return err
	}
	names, err := devicetree.Files(build)
	if err != nil {
		return err
	}
	_, err = saveSnapshot(d.saved, snapshot.DeviceTreeSources, build, names)
	return err
}

func (d *deviceTree) compile(ctx context.Context, build *kbuild.Build) error {
	if _, err := os.Stat(d.source.File); err != nil {
		return err
	}
	if err := unpackSnapshot(ctx, d.sources, snapshot.DeviceTreeSources, build); err != nil {
		return err
	}
	out, err := filepath.Abs(d.out)
	if err != nil {
		return err
	}
	if err := devicetree.Compile(ctx, build, d.source, out); err != nil {
		return fmt.Errorf("%s: %w", d.source.File, err)
	}
	return nil
}
