package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
)

const linkHelp = `Usage: kernel link --arch ARCH --objects FILE --initramfs FILE --image FILE [OPTION...]

Links an initramfs into a kernel, as it is: kbuild does not compress it again.

`

func runLink(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("kernel link", flag.ContinueOnError)
	common := addBuildFlags(flags)
	objects := flags.String("objects", "", "link the objects in `FILE`, which kernel compile has written")
	initramfs := flags.String("initramfs", "", "link in the archive `FILE`")
	img := flags.String("image", "", "write the image to `FILE`")
	vmlinux := flags.String("vmlinux", "", "write the ELF image to `FILE`")
	configuration := flags.String("config", "", "write the configuration to `FILE`")
	systemMap := flags.String("system-map", "", "write the addresses of the symbols to `FILE`")
	if err := parseFlags(flags, linkHelp, args); err != nil {
		return err
	}
	if common.arch == "" || *objects == "" || *initramfs == "" || *img == "" {
		return cli.UsageFault(flags, "want --arch, --objects, --initramfs and --image")
	}
	info, err := os.Stat(*initramfs)
	if err != nil {
		return err
	}
	codecs, err := archiveCodecs(ctx, *initramfs)
	if err != nil {
		return err
	}
	if err := common.toolchain.CheckLink(ctx); err != nil {
		return err
	}
	return common.withBuild(ctx, func(build *kbuild.Build) error {
		if err := unpackObjects(ctx, *objects, build); err != nil {
			return fmt.Errorf("%s: %w", *objects, err)
		}
		values, err := build.Values()
		if err != nil {
			return err
		}
		if err := errors.Join(values.Unpacks(codecs), values.Fits(info.Size())); err != nil {
			return fmt.Errorf("%s: %w", *initramfs, err)
		}
		if err := build.Link(ctx, *initramfs); err != nil {
			return err
		}
		return copyOutputs(build, []output{
			{*img, build.Arch.Image},
			{*vmlinux, "vmlinux"},
			{*configuration, kbuild.ConfigFile},
			{*systemMap, "System.map"},
		})
	})
}

func unpackObjects(ctx context.Context, name string, build *kbuild.Build) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return snapshot.Unpack(ctx, file, build.Dir, build.Arch.Name)
}

// archiveCodecs returns the codecs of an archive's members. It reads all of it: what the
// kernel would refuse at its boot is an error. So is a boot configuration, which a kernel cuts
// off what a boot loader gives it only (setup_boot_config in init/main.c).
func archiveCodecs(ctx context.Context, name string) ([]string, error) {
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
		return nil, fmt.Errorf("%s: a boot configuration is behind the archive, where a kernel does not look for it in what is linked in: leave it out, or give the archive to the boot loader beside the kernel", name)
	}
	var codecs []string
	for _, member := range img.Members() {
		codecs = append(codecs, member.Codec)
	}
	return codecs, nil
}
