package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/androidboot"
	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/fit"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
)

func androidBootCommand() *cobra.Command {
	image := &androidboot.Boot{}
	var kernel, cmdline, out string
	var ramdisk []string
	cmd := &cobra.Command{
		Use:     "android-boot --out FILE [OPTION...]",
		GroupID: groupPayload,
		Short:   "Make a boot.img for Android",
		Long: `Make a boot.img for Android, version 4: a generic kernel and initramfs image. It is the one
that mkbootimg makes, without a signature of the generic kernel.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer android-boot --kernel Image --part initramfs.lz4 --out boot.img",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			err = cmp.Or(cli.Required(cmd, "out"), checkOutputs(cmd, []usedFile{{"--out", out}},
				append(usedFiles("--part", ramdisk), usedFile{"--kernel", kernel})...))
			if err != nil {
				return err
			}
			image.CommandLine = cmdline
			if image.Kernel, err = openContent(kernel); err != nil {
				return err
			}
			if image.Ramdisk, err = openContent(ramdisk...); err != nil {
				return err
			}
			return writeResults(cmd.Context(), out, image.Write)
		},
	}
	cli.Options(cmd, "What is in the image", func(flags *pflag.FlagSet) {
		flags.StringVar(&kernel, "kernel", "", "Take the kernel from `FILE`")
		flags.StringArrayVar(&ramdisk, "part", nil, "Add `FILE` to the initramfs image; repeat it for each part, in their order")
		flags.StringVar(&cmdline, "cmdline", "", "Add `TEXT` to the kernel's command line")
		addParsed(flags, &image.OSVersion, "os-version", androidboot.ParseOSVersion, "Set the version of Android to `VERSION`, such as 15.0.0")
		addParsed(flags, &image.PatchLevel, "os-patch-level", androidboot.ParsePatchLevel, "Set the month of the security patches to `MONTH`, such as 2025-08")
	})
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write the image to `FILE`")
	})
	return cmd
}

// openContent returns files that are joined, or nil if there are none.
func openContent(names ...string) (androidboot.Content, error) {
	if names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" }); len(names) == 0 {
		return nil, nil
	}
	return parts.Open(names)
}

// vendorBoot is what packer android-vendor-boot was asked for.
type vendorBoot struct {
	image                        androidboot.VendorBoot
	parts                        []string
	fragments                    []fragment
	deviceTrees                  []string
	bootconfig, out              string
	base                         fit.Address
	kernelOffset, ramdiskOffset  fit.Address
	tagsOffset, deviceTreeOffset fit.Address
}

// fragment is an initramfs image with a name.
type fragment struct{ kind, name, file string }

func androidVendorBootCommand() *cobra.Command {
	// The addresses are the defaults of mkbootimg.
	v := &vendorBoot{base: 0x10000000, kernelOffset: 0x8000, ramdiskOffset: 0x1000000, tagsOffset: 0x100, deviceTreeOffset: 0x1f00000}
	cmd := &cobra.Command{
		Use:     "android-vendor-boot --out FILE [OPTION...]",
		GroupID: groupPayload,
		Short:   "Make a vendor_boot.img for Android",
		Long: `Make a vendor_boot.img for Android, version 4: what a device adds to a boot.img. It is the
one that mkbootimg makes.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer android-vendor-boot --part vendor.lz4 --dtb board.dtb --out vendor_boot.img",
		Args:    cli.Args(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return v.start(cmd) },
	}
	cli.Options(cmd, "What is in the image", func(flags *pflag.FlagSet) {
		flags.StringArrayVar(&v.parts, "part", nil, "Add `FILE` to the initramfs image of the platform; repeat it for each part, in their order")
		flags.Func("ramdisk", "Add the initramfs image `TYPE:NAME=FILE`, of the type none, platform, recovery or dlkm; may be repeated", func(text string) error {
			what, file, ok := strings.Cut(text, "=")
			kind, name, typed := strings.Cut(what, ":")
			if !ok || !typed || file == "" || !slices.Contains(androidboot.Types(), kind) {
				return fmt.Errorf("%q: want TYPE:NAME=FILE, with one of the types %s", text, strings.Join(androidboot.Types(), ", "))
			}
			v.fragments = append(v.fragments, fragment{kind, name, file})
			return nil
		})
		flags.StringArrayVar(&v.deviceTrees, "dtb", nil, "Add the device tree in `FILE`; repeat it for each, in their order")
		flags.StringVar(&v.bootconfig, "bootconfig", "", "Add the boot configuration in `FILE`")
		flags.StringVar(&v.image.CommandLine, "cmdline", "", "Add `TEXT` to the kernel's command line")
		flags.StringVar(&v.image.Product, "board", "", "Call the product `NAME`")
	})
	cli.Options(cmd, "Format", func(flags *pflag.FlagSet) {
		flags.Uint32Var(&v.image.PageSize, "page-size", 4096, "Put each part at a multiple of `BYTES`")
		for _, address := range []struct {
			name  string
			to    *fit.Address
			usage string
		}{
			{"base", &v.base, "Count addresses from `ADDRESS` (default 0x10000000)"},
			{"kernel-offset", &v.kernelOffset, "Load the kernel at `ADDRESS`, from the base (default 0x8000)"},
			{"ramdisk-offset", &v.ramdiskOffset, "Load the initramfs image at `ADDRESS`, from the base (default 0x1000000)"},
			{"tags-offset", &v.tagsOffset, "Put the kernel's tags at `ADDRESS`, from the base (default 0x100)"},
			{"dtb-offset", &v.deviceTreeOffset, "Load the device trees at `ADDRESS`, from the base (default 0x1f00000)"},
		} {
			addParsed(flags, address.to, address.name, fit.ParseAddress, address.usage)
		}
	})
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&v.out, "out", "", "Write the image to `FILE`")
	})
	return cmd
}

func (v *vendorBoot) start(cmd *cobra.Command) error {
	inputs := append(usedFiles("--part", v.parts), usedFiles("--dtb", v.deviceTrees)...)
	inputs = append(inputs, usedFile{"--bootconfig", v.bootconfig})
	for _, f := range v.fragments {
		inputs = append(inputs, usedFile{"--ramdisk", f.file})
	}
	if err := cmp.Or(cli.Required(cmd, "out"), checkOutputs(cmd, []usedFile{{"--out", v.out}}, inputs...), v.setAddresses(cmd)); err != nil {
		return err
	}
	if err := v.open(); err != nil {
		return err
	}
	return writeResults(cmd.Context(), v.out, v.image.Write)
}

func (v *vendorBoot) setAddresses(cmd *cobra.Command) error {
	for _, address := range []struct {
		option string
		offset fit.Address
		to     *uint32
	}{
		{"kernel-offset", v.kernelOffset, &v.image.KernelAddress},
		{"ramdisk-offset", v.ramdiskOffset, &v.image.RamdiskAddress},
		{"tags-offset", v.tagsOffset, &v.image.TagsAddress},
	} {
		if v.base > math.MaxUint32 || address.offset > math.MaxUint32-v.base {
			return cli.Usagef(cmd, "--%s: the address has more than 32 bits", address.option)
		}
		*address.to = uint32(v.base + address.offset)
	}
	v.image.DeviceTreeAddress = uint64(v.base + v.deviceTreeOffset)
	return nil
}

func (v *vendorBoot) open() (err error) {
	if len(v.parts) > 0 {
		v.fragments = append([]fragment{{"platform", "", ""}}, v.fragments...)
	}
	for _, f := range v.fragments {
		names := []string{f.file}
		if f.file == "" {
			names = v.parts
		}
		content, err := openContent(names...)
		if err != nil {
			return err
		}
		v.image.Ramdisks = append(v.image.Ramdisks, androidboot.Ramdisk{Content: content, Type: f.kind, Name: f.name})
	}
	if v.image.Bootconfig, err = openContent(v.bootconfig); err != nil {
		return err
	}
	v.image.DeviceTrees, err = openContent(v.deviceTrees...)
	return err
}
