package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func depmodCommand() *cobra.Command {
	var out, systemMap string
	cmd := &cobra.Command{
		Use:     "depmod [OPTION...] DIR",
		GroupID: groupKernel,
		Short:   "Write the indexes of kernel modules that modprobe reads",
		Long: `Write the indexes of the kernel modules in DIR, which is a directory lib/modules/RELEASE:
modules.dep, modules.alias, modules.softdep, modules.symbols and others, and their binary
forms. The bytes are those that depmod of kmod 34 writes without a configuration. Modules
may be compressed with gzip, xz or zstd, and are read in parallel.

DIR must have the directory kernel, updates or extra, or the kernel's modules.order. A
symbolic link to a directory outside DIR is an error.

What depmod skips is an error: a damaged module, a module for another architecture, two
modules of one name unless one of them is below updates, an alias that an index cannot
hold. So are modules that need each other.

After an error, the exit code is 1 and no index has changed. Wrong usage exits with 2.`,
		Example: "packer depmod --out indexes /usr/lib/modules/7.2.12-amd64",
		Args:    cli.Args("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				out = args[0]
			}
			return depmod(cmd.Context(), args[0], out, systemMap)
		},
	}
	cli.Options(cmd, "Options", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write the indexes to `DIR`, not to the directory with the modules")
		flags.StringVar(&systemMap, "system-map", "",
			"Fail if a module needs a symbol that is in no module and not in `FILE`, which is the kernel's System.map")
	})
	return cmd
}

// depmod writes the indexes of the modules in a directory to out.
func depmod(ctx context.Context, dir, out, systemMap string) error {
	if err := modules.CheckRelease(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tree, err := modules.ReadTree(enclosed{os.DirFS(dir), root})
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if systemMap != "" {
		if err := checkSymbols(tree.Modules, systemMap); err != nil {
			return err
		}
	}
	var files []write.Content
	if err := modules.WriteIndexes(tree.Modules, tree.KernelFiles, func(name string, content []byte) error {
		files = append(files, write.Content{Name: filepath.Join(out, name), Data: content})
		return nil
	}); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	return write.Files(ctx, files)
}

// enclosed is a directory whose links to directories do not lead out of it. Links to files may: the
// files of a sandbox are links.
type enclosed struct {
	fs.FS
	root *os.Root
}

// Stat follows links.
func (e enclosed) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(e.FS, name)
	if err != nil || !info.IsDir() {
		return info, err
	}
	if _, err := e.root.Stat(filepath.FromSlash(name)); err != nil {
		return nil, fmt.Errorf("%w: remove the symbolic link, or replace it by the directory", err)
	}
	return info, nil
}

// checkSymbols reports the symbols that modules need, and neither they nor the kernel have.
func checkSymbols(list []*modules.Module, systemMap string) error {
	file, err := os.Open(systemMap)
	if err != nil {
		return err
	}
	defer file.Close()
	kernel, err := modules.ReadSystemMap(file)
	if err != nil {
		return fmt.Errorf("%s: %w", systemMap, err)
	}
	var errs []error
	for _, u := range modules.FindUnresolved(list, kernel) {
		errs = append(errs, fmt.Errorf("%s needs the symbol %s, which is in no module and not in %s: add the module that has it", u.Module.Path, u.Symbol, systemMap))
	}
	return errors.Join(errs...)
}
