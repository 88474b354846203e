package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/fit"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
)

// fitMaker is what packer fit was asked for.
type fitMaker struct {
	description fit.Description
	config      string
	compatible  []string
	signer      fitSigner
	out         string
}

func fitCommand() *cobra.Command {
	m := &fitMaker{}
	cmd := &cobra.Command{
		Use: "fit --kernel FILE --out FILE [OPTION...]\n" +
			"fit --config FILE --out FILE [OPTION...]",
		GroupID: groupPayload,
		Short:   "Make a FIT image for U-Boot",
		Long: `Make a FIT image, which U-Boot loads: a kernel for arm64 or riscv64, an initramfs image and
device trees, with configurations that say which of them boot together. mkimage makes the
same tree from the same description.

U-Boot picks the configuration whose compatible strings match its own device tree best. A
configuration has the strings of its device tree, unless others are given. Without a load
address, U-Boot (2024.01 and later) finds a place for the kernel. The kernel's own
scripts/make_fit.py makes such images too.

With --certificate, all configurations are signed, as packer fit-sign does.

FILE of --config is JSON with the same content:

    {"kernel": {"file": "Image", "compression": "gzip", "load": "0x80200000"},
     "ramdisk": {"files": ["base.cpio", "app.cpio"]},
     "device_trees": [{"name": "board", "file": "board.dtb"}],
     "overlays": [{"name": "wifi", "file": "wifi.dtbo"}],
     "configurations": [{"name": "board", "device_tree": "board", "overlays": ["wifi"],
                         "compatible": ["maker,board"]}],
     "default": "board", "hashes": ["sha256"], "external": false, "timestamp": 0,
     "arch": "arm64", "description": "Linux"}

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer fit --kernel Image --part initramfs.cpio --device-tree board=board.dtb --out image.itb",
		Args:    cli.Args(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return m.start(cmd) },
	}
	d := &m.description
	cli.Options(cmd, "What is in the image", func(flags *pflag.FlagSet) {
		flags.StringVar(&m.config, "config", "", "Read the description of the image from `FILE` as JSON")
		flags.StringVar(&d.Kernel.File, "kernel", "", "Take the kernel from `FILE`: an Image, or one that is compressed already")
		flags.StringVar(&d.Kernel.Compression, "compress", "", "Compress the kernel with `CODEC[:LEVEL]` (default gzip)")
		flags.StringArrayVar(&d.Ramdisk.Files, "part", nil, "Add `FILE` to the initramfs image; repeat it for each part, in their order")
		addNamed(flags, &d.DeviceTrees, "device-tree", "Add the device tree `NAME=FILE`; may be repeated")
		addNamed(flags, &d.Overlays, "overlay", "Add the overlay `NAME=FILE`; may be repeated")
		flags.StringVar(&d.Architecture, "arch", "", "Fail if the kernel is not for `ARCH`, such as arm64")
		flags.StringVar(&d.Description, "description", "", "Describe the image by `TEXT` (default Linux)")
	})
	cli.Options(cmd, "Configurations", func(flags *pflag.FlagSet) {
		flags.Func("configuration", "Add the configuration `NAME=TREES`: the names of a device tree and its overlays, separated by commas; =TREES is left out without a device tree; may be repeated (default one for each device tree)", func(text string) error {
			name, trees, _ := strings.Cut(text, "=")
			c := fit.Configuration{Name: name}
			if trees != "" {
				all := strings.Split(trees, ",")
				c.DeviceTree, c.Overlays = all[0], all[1:]
			}
			d.Configurations = append(d.Configurations, c)
			return fit.CheckName(name)
		})
		flags.StringArrayVar(&m.compatible, "compatible", nil, "Use the configuration of `NAME=STRING` for machines with this compatible string; NAME= is left out if there is one configuration; may be repeated")
		flags.StringVar(&d.Default, "default", "", "Boot the configuration `NAME` by default, or the one for a machine with this compatible string (default the first)")
	})
	cli.Options(cmd, "Addresses", func(flags *pflag.FlagSet) {
		addAddress(flags, &d.Kernel.Load, "load", "Load the kernel at `ADDRESS`, such as 0x80200000")
		addAddress(flags, &d.Kernel.Entry, "entry", "Start the kernel at `ADDRESS` (default that of --load)")
		addAddress(flags, &d.Ramdisk.Load, "ramdisk-load", "Load the initramfs image at `ADDRESS`")
	})
	cli.Options(cmd, "Format", func(flags *pflag.FlagSet) {
		flags.StringArrayVar(&d.Hashes, "hash", nil, "Add the hash `HASH` of each part, such as sha256 or crc32; may be repeated (default sha256)")
		flags.BoolVar(&d.External, "external", false, "Put the parts after the device tree of the image, as mkimage -E does")
		addTimestamp(flags, &d.Timestamp)
	})
	cli.Options(cmd, "Signatures", func(flags *pflag.FlagSet) { m.signer.add(flags) })
	cli.CompleteValues(cmd, "hash", fit.Hashes()...)
	cli.CompleteValues(cmd, "compress", fit.Compressions()...)
	cli.CompleteValues(cmd, "signature-hash", fit.SigningHashes()...)
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&m.out, "out", "", "Write the image to `FILE`")
	})
	return cmd
}

// addNamed adds an option for device trees with names.
func addNamed(flags *pflag.FlagSet, to *[]fit.DeviceTree, option, usage string) {
	flags.Func(option, usage, func(text string) error {
		name, file, ok := strings.Cut(text, "=")
		if !ok || file == "" {
			return fmt.Errorf("%q: want NAME=FILE", text)
		}
		*to = append(*to, fit.DeviceTree{Name: name, File: file})
		return fit.CheckName(name)
	})
}

func addAddress(flags *pflag.FlagSet, to **fit.Address, option, usage string) {
	flags.Func(option, usage, func(text string) error {
		address, err := fit.ParseAddress(text)
		*to = &address
		return err
	})
}

func addTimestamp(flags *pflag.FlagSet, to *uint32) {
	flags.Func("timestamp", "Set the time of the image, in `SECONDS` since 1970 (default 0)", func(text string) error {
		seconds, err := strconv.ParseUint(text, 10, 32)
		*to = uint32(seconds)
		if err != nil {
			return fmt.Errorf("%q: want 0 to 4294967295", text)
		}
		return nil
	})
}

func (m *fitMaker) start(cmd *cobra.Command) error {
	if err := cmp.Or(cli.Required(cmd, "out"), m.signer.check(cmd)); err != nil {
		return err
	}
	if m.config != "" {
		for _, option := range []string{
			"kernel", "compress", "part", "device-tree", "overlay", "arch", "description", "configuration", "compatible",
			"default", "load", "entry", "ramdisk-load", "hash", "external", "timestamp",
		} {
			if err := cli.Exclusive(cmd, "config", option); err != nil {
				return err
			}
		}
		text, err := readSmall(m.config)
		if err != nil {
			return err
		}
		d, err := fit.ParseDescription(text)
		if err != nil {
			return fmt.Errorf("%s: %w", m.config, err)
		}
		m.description = *d
	} else if m.description.Kernel.File == "" {
		return cli.Usagef(cmd, "missing option --kernel FILE or --config FILE")
	}
	if err := m.addCompatible(); err != nil {
		return cli.Usagef(cmd, "%v", err)
	}
	if err := checkOutputs(cmd, []usedFile{{"--out", m.out}}, m.inputs()...); err != nil {
		return err
	}
	return m.run(cmd.Context())
}

// addCompatible gives the configurations their compatible strings.
func (m *fitMaker) addCompatible() error {
	d := &m.description
	if len(m.compatible) > 0 && len(d.Configurations) == 0 {
		if len(d.DeviceTrees) > 0 {
			return fmt.Errorf("--compatible needs --configuration")
		}
		d.Configurations = []fit.Configuration{{Name: "linux"}}
	}
	for _, text := range m.compatible {
		name, value, named := strings.Cut(text, "=")
		if !named {
			name, value = d.Configurations[0].Name, text
			if len(d.Configurations) > 1 {
				return fmt.Errorf("--compatible %s: want NAME=STRING, because there are several configurations", text)
			}
		}
		found := false
		for i := range d.Configurations {
			if c := &d.Configurations[i]; c.Name == name {
				c.Compatible, found = append(c.Compatible, value), true
			}
		}
		if !found {
			return fmt.Errorf("--compatible %s: the image has no configuration %q", text, name)
		}
	}
	return nil
}

func (m *fitMaker) inputs() []usedFile {
	d := &m.description
	inputs := append(m.signer.inputs(), usedFile{"--config", m.config}, usedFile{"the kernel", d.Kernel.File})
	inputs = append(inputs, usedFiles("a part", d.Ramdisk.Files)...)
	for _, tree := range append(d.DeviceTrees[:len(d.DeviceTrees):len(d.DeviceTrees)], d.Overlays...) {
		inputs = append(inputs, usedFile{"a device tree", tree.File})
	}
	return inputs
}

func (m *fitMaker) run(ctx context.Context) error {
	image, err := m.description.Build()
	if err != nil {
		return err
	}
	if m.signer.certificate != "" {
		if err := m.signer.sign(ctx, image, m.description.Timestamp); err != nil {
			return err
		}
	}
	if m.description.External {
		if err := image.MakeExternal(); err != nil {
			return err
		}
	}
	return writeResults(ctx, m.out, image.Write)
}

// maxSmall is the largest device tree or description, in bytes: many times what one has. That of QEMU's
// machines is 1 MiB.
const maxSmall = 16 << 20

// readSmall reads a description or a device tree.
func readSmall(name string) (text []byte, err error) {
	err = readFile(name, func(r io.Reader) error {
		text, err = io.ReadAll(io.LimitReader(r, maxSmall+1))
		if err == nil && len(text) > maxSmall {
			err = fmt.Errorf("it has more than %d MiB", maxSmall>>20)
		}
		return err
	})
	return text, err
}

// baseName returns the name of a file without its directory and its last extension.
func baseName(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// openFIT opens a FIT. The caller closes the file.
func openFIT(name string) (*fit.Image, *os.File, error) {
	file, size, err := parts.OpenRegular(name)
	if err != nil {
		return nil, nil, err
	}
	image, err := fit.Read(file, size)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return image, file, nil
}
