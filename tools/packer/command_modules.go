package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/drivers"
)

// chooser is what packer modules was asked for.
type chooser struct {
	kernel, catalog, writeCatalog string
	builtin, builtinInfo          string
	systemMap, config             string
	added, offered                []string

	request     modules.Request
	devices     []string
	driverIndex string

	firmware    []string
	missing     modules.Severity
	missingOf   map[string]modules.Severity
	builtinToo  bool
	strip       bool
	forSigning  bool
	compression modules.Compression

	output, archive, layerCatalog, prefix, report, json, origin string
}

func modulesCommand() *cobra.Command {
	c := &chooser{missing: modules.SeverityError, missingOf: map[string]modules.Severity{}, compression: modules.KeepCompression}
	cmd := &cobra.Command{
		Use:     "modules --kernel DIR --output DIR [OPTION...] [@FILE...]\nmodules --kernel DIR --write-catalog FILE",
		GroupID: groupMake,
		Short:   "Choose kernel modules, what they need, and their firmware",
		Long: `Write a directory with kernel modules, the indexes that depmod makes for them, and firmware.
The modules are those that are wanted or serve a device, and, transitively, what they need:
the modules whose symbols they use, their softdeps and their weakdeps. A wanted module that
is built into the kernel is accepted. What is wanted and is not there is an error.

A WORD is the name of a module (virtio_net; - and _ are the same), a pattern of paths
(kernel/drivers/nvme/**), or an alias. An alias is a whole modalias, not a pattern: fs-ext4,
pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00.

@FILE has arguments, one a line. After an error, the exit code is 1 and nothing is left in
the output directory. Wrong usage exits with 2.`,
		Example: "packer modules --kernel / --want virtio_net --want fs-ext4 --missing-firmware warning --output modules",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.ReadArguments(cmd, args); err != nil {
				return err
			}
			if err := cmp.Or(cli.Required(cmd, "kernel"), cli.Exclusive(cmd, "catalog", "write-catalog"), cli.Exclusive(cmd, "output", "write-catalog"), cli.Exclusive(cmd, "write-layer-catalog", "write-catalog")); err != nil {
				return err
			}
			if c.driverIndex != "" && c.report+c.json == "" {
				return cli.Usagef(cmd, "--driver-index needs --report or --json")
			}
			if c.forSigning && c.archive == "" {
				return cli.Usagef(cmd, "--for-signing needs --archive, which packer sign-modules reads")
			}
			if err := c.checkFiles(cmd); err != nil {
				return err
			}
			if c.writeCatalog != "" {
				return c.catalogTree(cmd.Context())
			}
			if err := cli.Required(cmd, "output"); err != nil {
				return err
			}
			if len(c.request.Words)+len(c.devices)+len(c.added) == 0 && !c.builtinToo {
				return cli.Usagef(cmd, "nothing is wanted: name modules with --want or --module, or hardware with --devices")
			}
			err := c.run(cmd.Context())
			if err != nil && c.origin != "" {
				err = prefixErrors(c.origin, err)
			}
			return err
		},
	}
	cli.Options(cmd, "Kernel", c.addKernelOptions)
	cli.Options(cmd, "Modules", func(flags *pflag.FlagSet) {
		flags.StringArrayVar(&c.request.Words, "want", nil, "Choose the module, or the modules, that `WORD` names; may be repeated")
		flags.StringArrayVar(&c.devices, "devices", nil, "Choose the modules that serve the devices in `FILE`, which is a device tree (.dtb) or a list of modaliases; may be repeated")
		flags.StringVar(&c.driverIndex, "driver-index", "", "Report for devices that nothing serves which options turn a driver on, by `FILE`, which packer driver-index has made of the kernel's source")
		flags.StringArrayVar(&c.request.Exclude, "exclude", nil, "Do not choose the module `NAME`; an error if another one needs it; may be repeated")
		flags.BoolVar(&c.strip, "strip", false, "Drop debug information, and with it the signatures of the modules that have any")
		flags.BoolVar(&c.forSigning, "for-signing", false, "Drop signatures, and leave it to packer sign-modules to sign the modules in the archive and to compress them")
		addParsed(flags, &c.compression, "compress", modules.ParseCompression, "Compress modules with `CODEC[:LEVEL]`: none, gzip, xz or zstd, which the .config must have on; keep (default) leaves them as they are")
	})
	cli.CompleteValues(cmd, "compress", modules.Compressions()...)
	cli.Options(cmd, "Firmware", c.addFirmwareOptions)
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&c.output, "output", "", "Write modules and firmware to `DIR`, new or empty")
		flags.StringVar(&c.archive, "archive", "", "Write the content of DIR also to the cpio archive `FILE`, owned by root")
		flags.StringVar(&c.layerCatalog, "write-layer-catalog", "", "Write to `FILE` what is known of the chosen modules, for packer pack --module-catalog")
		addParsed(flags, &c.prefix, "prefix", parsePrefix, "Write to `PATH`/modules and PATH/firmware below DIR, lib or usr/lib (default: as the kernel's directory has it, else lib)")
		flags.StringVar(&c.report, "report", "", "Write to `FILE` what is chosen and why, for people")
		flags.StringVar(&c.json, "json", "", "Write to `FILE` the same as one JSON object")
		flags.StringVar(&c.origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
	})
	return cmd
}

func (c *chooser) addKernelOptions(flags *pflag.FlagSet) {
	flags.StringVar(&c.kernel, "kernel", "", "Take the modules of the kernel in `DIR`, which has lib/modules/RELEASE or usr/lib/modules/RELEASE, or is RELEASE")
	flags.StringVar(&c.catalog, "catalog", "", "Take what is known of the modules from `FILE`, which --write-catalog has written")
	flags.StringVar(&c.writeCatalog, "write-catalog", "", "Write to `FILE` what is known of all modules, and nothing else")
	flags.StringVar(&c.builtin, "builtin", "", "Use `FILE` instead of the kernel's modules.builtin")
	flags.StringVar(&c.builtinInfo, "builtin-modinfo", "", "Use `FILE` instead of the kernel's modules.builtin.modinfo")
	flags.StringVar(&c.systemMap, "system-map", "", "Fail if a chosen module needs a symbol that is in no chosen module and not in `FILE`, which is the kernel's System.map")
	flags.StringVar(&c.config, "config", "", "Read from the .config `FILE` what the kernel can decompress (default: the one in DIR)")
	flags.StringArrayVar(&c.added, "module", nil, "Choose the module `FILE`, which was built out of the kernel's tree, as updates/NAME.ko; may be repeated")
	flags.StringArrayVar(&c.offered, "offer", nil, "Choose the module `FILE` like --module, but only if it is wanted or another one needs it; may be repeated")
}

func (c *chooser) addFirmwareOptions(flags *pflag.FlagSet) {
	flags.StringArrayVar(&c.firmware, "firmware", nil, "Look for firmware in `DIR`, where it has the names that drivers ask for, and in its WHENCE, if it has one, for links; may be repeated")
	flags.Func("missing-firmware", "What to do if firmware is missing: `SEVERITY` is error (default), warning or off; NAME=SEVERITY is for one module; may be repeated", func(text string) error {
		name, word, one := strings.Cut(text, "=")
		if !one {
			word = name
		}
		severity, err := modules.ParseSeverity(word)
		switch {
		case err != nil:
			return err
		case one:
			c.missingOf[modules.Name(name)] = severity
		default:
			c.missing = severity
		}
		return nil
	})
	flags.BoolVar(&c.builtinToo, "builtin-firmware", false, "Add the firmware of all built-in modules, not only of those that are wanted or serve a device")
}

// checkFiles returns an error if a file that is written is another one that is written or read.
func (c *chooser) checkFiles(cmd *cobra.Command) error {
	outputs := []usedFile{
		{"--archive", c.archive}, {"--write-layer-catalog", c.layerCatalog}, {"--write-catalog", c.writeCatalog},
		{"--report", c.report}, {"--json", c.json},
	}
	return checkOutputs(cmd, outputs, slices.Concat(
		[]usedFile{
			{"--catalog", c.catalog}, {"--builtin", c.builtin}, {"--builtin-modinfo", c.builtinInfo},
			{"--system-map", c.systemMap}, {"--config", c.config}, {"--driver-index", c.driverIndex},
		},
		usedFiles("--module", c.added), usedFiles("--offer", c.offered), usedFiles("--devices", c.devices),
	)...)
}

// parsePrefix reads the directory of modules and firmware.
func parsePrefix(text string) (string, error) {
	if text != "lib" && text != "usr/lib" {
		return "", fmt.Errorf("%q: want lib or usr/lib", text)
	}
	return text, nil
}

// catalogTree writes the catalog of the kernel's modules.
func (c *chooser) catalogTree(ctx context.Context) error {
	kernel, err := modules.FindKernel(c.kernel)
	if err != nil {
		return err
	}
	tree, err := modules.ReadTree(os.DirFS(kernel.Dir))
	if err != nil {
		return fmt.Errorf("%s: %w", kernel.Dir, err)
	}
	warnMissing(kernel, tree)
	return writeResults(ctx, c.writeCatalog, func(w io.Writer) error { return modules.WriteCatalog(w, tree) })
}

func (c *chooser) run(ctx context.Context) (err error) {
	kernel, tree, err := c.readKernel()
	if err != nil {
		return err
	}
	values, err := c.readConfig(kernel)
	if err != nil {
		return err
	}
	if values != nil {
		if err := c.compression.Check(values.Get); err != nil {
			return err
		}
	}
	replaced, files, err := c.addModules(&kernel, tree)
	if err != nil {
		return err
	}
	if c.request.Devices, err = readDevices(c.devices); err != nil {
		return err
	}
	index, err := readDriverIndex(c.driverIndex)
	if err != nil {
		return err
	}
	// A device of a list that does not say where it is goes by its modalias.
	for i, d := range c.request.Devices {
		if d.Path == "" {
			c.request.Devices[i].Path = d.Modaliases[0]
		}
	}
	selection, err := modules.Choose(tree, c.request)
	if err != nil {
		return err
	}
	if c.systemMap != "" {
		if err := checkSymbols(selection.Loadable(), c.systemMap); err != nil {
			return err
		}
	}
	firmware, missing, err := modules.CollectFirmware(tree, selection, modules.FirmwareRequest{
		Dirs: c.firmware, Reads: values.On, Missing: c.missing, MissingOf: c.missingOf, Builtin: c.builtinToo,
	})
	if err != nil {
		return err
	}
	layer := &modules.Layer{
		Kernel: kernel, Tree: tree, Selection: selection, Firmware: firmware, Files: files,
		Prefix: cmp.Or(c.prefix, kernel.Prefix, "lib"), Strip: c.strip, SignaturesForced: values.On("CONFIG_MODULE_SIG_FORCE"), ForSigning: c.forSigning, Compression: c.compression,
	}
	if err := layer.Write(ctx, c.output); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, layer.Remove(c.output))
		}
	}()
	if c.archive != "" {
		if err := c.writeArchive(ctx); err != nil {
			return err
		}
	}
	if c.layerCatalog != "" {
		catalog := layer.Catalog(c.origin)
		if err := writeResults(ctx, c.layerCatalog, func(w io.Writer) error { return modules.WriteLayerCatalog(w, catalog) }); err != nil {
			return err
		}
	}
	for _, warning := range modules.FirmwareWarnings(missing) {
		warn(warning)
	}
	report := modules.NewReport(layer, replaced, missing)
	if index != nil {
		report.FindDrivers(layer, index, values)
	}
	return c.writeReports(ctx, report)
}

// readDriverIndex reads the drivers of the kernel's source; nil without a name.
func readDriverIndex(name string) (index *drivers.Index, err error) {
	err = readFile(name, func(r io.Reader) error {
		index, err = drivers.Read(r)
		return err
	})
	return index, err
}

func (c *chooser) writeArchive(ctx context.Context) error {
	root, err := os.OpenRoot(c.output)
	if err != nil {
		return err
	}
	defer root.Close()
	return writeResults(ctx, c.archive, func(w io.Writer) error {
		return modules.WriteArchive(w, root.FS().(fs.ReadLinkFS))
	})
}

func (c *chooser) writeReports(ctx context.Context, report *modules.Report) error {
	if c.report != "" {
		if err := writeResults(ctx, c.report, report.WriteText); err != nil {
			return err
		}
	}
	if c.json == "" {
		return nil
	}
	return writeResults(ctx, c.json, func(w io.Writer) error { return listing.EncodeJSON(w, report) })
}

// readKernel reads the modules of the kernel, or their catalog.
func (c *chooser) readKernel() (modules.Kernel, *modules.Tree, error) {
	kernel, err := modules.FindKernel(c.kernel)
	if err != nil {
		return kernel, nil, err
	}
	tree, err := c.readTree(kernel.Dir)
	if err != nil {
		return kernel, nil, err
	}
	if c.catalog != "" {
		if err := kernel.CheckCatalog(tree); err != nil {
			return kernel, nil, fmt.Errorf("%s: %w", c.catalog, err)
		}
	}
	builtin, err := readOptional(c.builtin)
	if err != nil {
		return kernel, nil, err
	}
	if err := tree.SetBuiltins(builtin, nil); err != nil {
		return kernel, nil, fmt.Errorf("%s: %w", cmp.Or(c.builtin, kernel.Dir), err)
	}
	info, err := readOptional(c.builtinInfo)
	if err != nil {
		return kernel, nil, err
	}
	if err := tree.SetBuiltins(nil, info); err != nil {
		return kernel, nil, fmt.Errorf("%s: %w", cmp.Or(c.builtinInfo, kernel.Dir), err)
	}
	warnMissing(kernel, tree)
	return kernel, tree, kernel.Name(tree)
}

// warnMissing prints a warning if the kernel's own files are not there.
func warnMissing(kernel modules.Kernel, tree *modules.Tree) {
	missing := tree.Missing()
	if len(missing) == 0 {
		return
	}
	warn(fmt.Sprintf("%s has no %s: what is built into the kernel, or which module is preferred, is not known: if another package of the distribution has the files (Debian: linux-base-RELEASE), unpack it into the same directory",
		kernel.Dir, strings.Join(missing, ", no ")))
}

// readOptional reads a file; nil without a name.
func readOptional(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	content, err := os.ReadFile(name)
	return append([]byte{}, content...), err
}

func (c *chooser) readTree(dir string) (*modules.Tree, error) {
	if c.catalog == "" {
		tree, err := modules.ReadTree(os.DirFS(dir))
		if err != nil {
			err = fmt.Errorf("%s: %w", dir, err)
		}
		return tree, err
	}
	file, err := os.Open(c.catalog)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	tree, err := modules.ReadCatalog(file)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.catalog, err)
	}
	return tree, err
}

// readConfig reads the kernel's .config; nil if there is none.
func (c *chooser) readConfig(kernel modules.Kernel) (config.Values, error) {
	name := cmp.Or(c.config, kernel.ConfigFile())
	if name == "" {
		return nil, nil
	}
	return readConfigValues(name)
}

// addModules adds the modules from elsewhere to the tree, wants those that are not only offered, and
// returns the ones that they replace and the files by their paths.
func (c *chooser) addModules(kernel *modules.Kernel, tree *modules.Tree) (replaced []*modules.Module, files map[string]string, err error) {
	added, err := modules.ReadAdded(c.added)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range added {
		c.request.Words = append(c.request.Words, m.Path)
	}
	offered, err := modules.ReadAdded(slices.DeleteFunc(c.offered, func(name string) bool { return slices.Contains(c.added, name) }))
	if err != nil {
		return nil, nil, err
	}
	added = append(added, offered...)
	files = map[string]string{}
	for _, m := range added {
		files[m.Path] = m.File
	}
	replaced, err = tree.Add(added, kernel.Release)
	return replaced, files, err
}

// prefixErrors begins each line of an error with a text.
func prefixErrors(text string, err error) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && strings.Contains(err.Error(), "\n") {
		var errs []error
		for _, err := range joined.Unwrap() {
			errs = append(errs, prefixErrors(text, err))
		}
		return errors.Join(errs...)
	}
	return fmt.Errorf("%s: %w", text, err)
}
