package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/uki"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// ukiMaker is what packer uki was asked for.
type ukiMaker struct {
	config      uki.Config
	out, origin string
	inputs      []usedFile
}

func ukiCommand() *cobra.Command {
	u := &ukiMaker{}
	cmd := &cobra.Command{
		Use:     "uki --stub FILE --kernel FILE --out FILE [OPTION...] [--profile FILE [OPTION...]]...",
		GroupID: groupPayload,
		Short:   "Make a unified kernel image",
		Long: `Make a unified kernel image (UKI): an EFI executable with a kernel, an initramfs, and what
belongs to them. UEFI firmware or a boot loader starts it. The image is what ukify of
systemd makes from the same files. packer sign-efi signs it.

A stub starts the kernel, such as linuxx64.efi.stub of systemd. The kernel must have
CONFIG_EFI_STUB=y.

--profile begins a profile: a variant of the image that a boot menu offers. The options
after it are of this profile. They replace those before the first --profile, which all
profiles have in common. The first profile starts if nobody chooses.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer uki --stub linuxx64.efi.stub --kernel bzImage --initramfs initramfs --cmdline 'console=ttyS0' --out linux.efi",
		Args:    cli.Args(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return u.start(cmd) },
	}
	cli.Options(cmd, "Sections", func(flags *pflag.FlagSet) {
		u.addFile(flags, "kernel", "Start the kernel in `FILE` (.linux)", func(s *uki.Sections, name string) { s.Kernel = name })
		u.addFile(flags, "initramfs", "Pass `FILE` to the kernel (.initrd); may be repeated for the parts of an image, which are joined",
			func(s *uki.Sections, name string) { s.Initramfs = append(s.Initramfs, name) })
		u.addFile(flags, "microcode", "Pass the early archive `FILE` to the kernel before the initramfs (.ucode); may be repeated",
			func(s *uki.Sections, name string) { s.Microcode = append(s.Microcode, name) })
		flags.Func("cmdline", "Pass the command line `TEXT` to the kernel (.cmdline)", func(text string) error {
			u.sections().CommandLine = text
			return nil
		})
		u.addFile(flags, "cmdline-file", "Like --cmdline, but the text is in `FILE`", func(s *uki.Sections, name string) { s.CommandLineIn = name })
		u.addFile(flags, "os-release", "Describe the system by `FILE` (.osrel), in the format of /etc/os-release", func(s *uki.Sections, name string) { s.OSRelease = name })
		flags.Func("uname", "Require that the kernel is `RELEASE`, and name it (.uname): without this, what the kernel says, if it can be read", func(text string) error {
			u.sections().Uname = text
			return nil
		})
		u.addFile(flags, "device-tree", "Pass the device tree in `FILE` to the kernel (.dtb)", func(s *uki.Sections, name string) { s.DeviceTree = name })
		u.addFile(flags, "device-tree-auto", "Pass the device tree in `FILE` if it is for the machine (.dtbauto); may be repeated",
			func(s *uki.Sections, name string) { s.DeviceTreeAuto = append(s.DeviceTreeAuto, name) })
		u.addFile(flags, "hwids", "Know machines by their hardware IDs in the JSON `FILE` (.hwids), to choose a device tree; may be repeated",
			func(s *uki.Sections, name string) { s.HWIDs = append(s.HWIDs, name) })
		u.addFile(flags, "splash", "Show the picture in `FILE` (.splash), in BMP", func(s *uki.Sections, name string) { s.Splash = name })
		u.addFile(flags, "pcr-public-key", "Pass the public key in `FILE` to the system (.pcrpkey), in PEM: it verifies signatures of measurements",
			func(s *uki.Sections, name string) { s.PCRPublicKey = name })
		u.addFile(flags, "pcr-signature", "Pass the signatures of measurements in `FILE` to the system (.pcrsig), in JSON", func(s *uki.Sections, name string) { s.PCRSignature = name })
		flags.Func("section", "Add the section `NAME=FILE`, whose name has up to 8 bytes; may be repeated", func(text string) error {
			section, name, ok := strings.Cut(text, "=")
			if !ok || section == "" || name == "" {
				return fmt.Errorf("%q: want NAME=FILE", text)
			}
			u.use("section", name)
			s := u.sections()
			s.Extra = append(s.Extra, uki.Extra{Name: section, File: name})
			return nil
		})
		flags.Func("profile", "Begin a profile that `FILE` describes (.profile), with lines ID=... and TITLE=...; may be repeated", func(name string) error {
			u.use("profile", name)
			u.config.Profiles = append(u.config.Profiles, uki.Profile{Description: name})
			return nil
		})
	})
	cli.Options(cmd, "Image", func(flags *pflag.FlagSet) {
		flags.Func("stub", "Begin with the EFI executable in `FILE`, which starts the kernel", func(name string) error {
			u.use("stub", name)
			u.config.Stub = name
			return nil
		})
		flags.Func("sbat", "Add the generations of components in `FILE` to those of the stub and the kernel (.sbat), in the CSV of SBAT; may be repeated", func(name string) error {
			u.use("sbat", name)
			u.config.SBAT = append(u.config.SBAT, name)
			return nil
		})
		addParsed(flags, &u.config.Arch, "arch", func(name string) (string, error) {
			a, err := arch.Find(name)
			return a.Name, err
		}, "Require that the image is for `ARCH`: "+strings.Join(arch.Names(), ", "))
	})
	cli.CompleteValues(cmd, "arch", arch.Names()...)
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&u.out, "out", "", "Write the image to `FILE`")
		flags.StringVar(&u.origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
	})
	return cmd
}

// sections returns the sections that options are for: those of the last profile, or of the base.
func (u *ukiMaker) sections() *uki.Sections {
	if n := len(u.config.Profiles); n > 0 {
		return &u.config.Profiles[n-1].Sections
	}
	return &u.config.Base
}

// addFile adds an option that names a file for a section.
func (u *ukiMaker) addFile(flags *pflag.FlagSet, option, usage string, set func(*uki.Sections, string)) {
	flags.Func(option, usage, func(name string) error {
		u.use(option, name)
		set(u.sections(), name)
		return nil
	})
}

// use records that an option names an input.
func (u *ukiMaker) use(option, name string) {
	u.inputs = append(u.inputs, usedFile{"--" + option, name})
}

func (u *ukiMaker) start(cmd *cobra.Command) error {
	switch {
	case u.config.Stub == "":
		return cli.Usagef(cmd, "missing option --stub FILE")
	case u.config.Base.Kernel == "":
		return cli.Usagef(cmd, "missing option --kernel FILE before --profile")
	}
	for _, s := range u.allSections() {
		if s.CommandLine != "" && s.CommandLineIn != "" {
			return cli.Usagef(cmd, "--cmdline and --cmdline-file exclude each other")
		}
	}
	err := cmp.Or(cli.Required(cmd, "out"), checkOutputs(cmd, []usedFile{{"--out", u.out}}, u.inputs...))
	if err != nil {
		return err
	}
	if err := u.run(cmd.Context()); err != nil {
		if u.origin != "" {
			err = prefixErrors(u.origin, err)
		}
		return err
	}
	return nil
}

func (u *ukiMaker) allSections() []*uki.Sections {
	all := []*uki.Sections{&u.config.Base}
	for i := range u.config.Profiles {
		all = append(all, &u.config.Profiles[i].Sections)
	}
	return all
}

func (u *ukiMaker) run(ctx context.Context) (err error) {
	image, err := uki.Open(u.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	return write.File(ctx, u.out, func(w io.Writer) error { return image.Write(ctx, w) })
}
