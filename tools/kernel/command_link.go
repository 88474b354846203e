package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
)

// link is what kernel link was asked for.
type link struct {
	objects, initramfs                string
	image, vmlinux, config, systemMap string
}

func linkCommand() *cobra.Command {
	var l link
	cmd := &cobra.Command{
		Use:     "link --arch ARCH --objects FILE --initramfs FILE --image FILE [OPTION...]",
		GroupID: groupKernels,
		Short:   "Link an initramfs into a compiled kernel",
		Long: `Link an initramfs into a kernel that kernel compile has compiled. The initramfs is linked
as it is: kbuild does not compress it again. After an error, the exit code is 1 and there
are no results. Wrong usage exits with 2.`,
		Example: "kernel link --arch x86_64 --objects objects --initramfs initramfs.cpio.zst --image bzImage",
		Args:    cli.Args(),
	}
	build := addBuildOptions(cmd)
	cli.Options(cmd, "Inputs", func(flags *pflag.FlagSet) {
		flags.StringVar(&l.objects, "objects", "", "Link the objects in `FILE`, which kernel compile has written")
		flags.StringVar(&l.initramfs, "initramfs", "", "Link the initramfs `FILE`")
	})
	cli.Options(cmd, "Results", func(flags *pflag.FlagSet) {
		addImageOptions(flags, &l.image, &l.vmlinux, &l.config, &l.systemMap)
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cli.Required(cmd, "arch", "objects", "initramfs", "image"); err != nil {
			return err
		}
		return l.start(cmd.Context(), build)
	}
	return cmd
}

// start checks the initramfs and the toolchain, and links.
func (l *link) start(ctx context.Context, options *buildOptions) error {
	info, err := os.Stat(l.initramfs)
	if err != nil {
		return err
	}
	members, err := archiveMembers(ctx, l.initramfs)
	if err != nil {
		return err
	}
	if err := options.toolchain.CheckLink(ctx); err != nil {
		return err
	}
	return options.withBuild(ctx, func(build *kbuild.Build) error { return l.run(ctx, build, members, info.Size()) })
}

func (l *link) run(ctx context.Context, build *kbuild.Build, members []image.Member, size int64) error {
	if err := unpackSnapshot(ctx, l.objects, snapshot.Objects, build); err != nil {
		return err
	}
	values, err := build.Values()
	if err != nil {
		return err
	}
	var codecs, filters []string
	for _, member := range members {
		codecs = append(codecs, member.Codec)
		filters = append(filters, member.Filters...)
	}
	if err := errors.Join(values.Unpacks(codecs, filters), values.Fits(size)); err != nil {
		return fmt.Errorf("%s: %w", l.initramfs, err)
	}
	if err := build.Link(ctx, l.initramfs); err != nil {
		return err
	}
	return copyOutputs(build, []output{
		{l.image, build.Arch.Image},
		{l.vmlinux, "vmlinux"},
		{l.config, kbuild.ConfigFile},
		{l.systemMap, "System.map"},
	})
}

// archiveMembers returns the members of an archive. It reads the whole archive: what
// the kernel would refuse at boot is an error. A boot configuration is an error too, because
// the kernel removes it only from what a boot loader passes (setup_boot_config in
// init/main.c).
func archiveMembers(ctx context.Context, name string) ([]image.Member, error) {
	img, err := image.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	for {
		_, err := img.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: not an initramfs that a kernel unpacks: %w", name, err)
		}
	}
	if img.Bootconfig > 0 {
		return nil, fmt.Errorf("%s: the archive ends in a boot configuration, which the kernel does not read from a linked initramfs: remove it, or let the boot loader load the archive", name)
	}
	return img.Members(), nil
}
