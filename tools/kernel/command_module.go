package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/external"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
)

// moduleBuild is what kernel module was asked for.
type moduleBuild struct {
	tree    string
	sources []string
	module  external.Module

	output, symvers string
}

func moduleCommand() *cobra.Command {
	var m moduleBuild
	cmd := &cobra.Command{
		Use:     "module --arch ARCH --module-tree FILE --source NAME=FILE... --output DIR [OPTION...] [@FILE...]",
		GroupID: groupModules,
		Short:   "Compile modules out of the kernel's tree",
		Long: `Compile modules from sources with a Kbuild file or Makefile that has obj-m, for the kernel of
a module tree: kernel compile writes one, and kernel import-headers makes one of a
distribution's packages. A symbol that neither the kernel nor one of the lists of
--extra-symbols exports is an error.

@FILE has arguments, one a line. After an error, the exit code is 1 and there are no results.
Wrong usage exits with 2.`,
		Example: "kernel module --arch x86_64 --module-tree tree --source Kbuild=Kbuild --source hello.c=hello.c --output modules",
	}
	build := addBuildOptions(cmd)
	cli.Options(cmd, "Inputs", func(flags *pflag.FlagSet) {
		flags.StringVar(&m.tree, "module-tree", "", "Compile with the module tree in `FILE`")
		flags.StringArrayVar(&m.sources, "source", nil, "Compile the source `NAME=FILE`, whose path is NAME for the sources beside it; repeated")
		flags.StringArrayVar(&m.module.ExtraSymbols, "extra-symbols", nil, "Use the symbols of another module, in its Module.symvers `FILE`; may be repeated")
		flags.StringArrayVar(&m.module.Variables, "variable", nil, "Give make the variable `NAME=VALUE`; may be repeated")
		flags.BoolVar(&m.module.Types, "btf", false, "Add type information (BTF) with pahole if the kernel has it for modules")
	})
	cli.Options(cmd, "Results", func(flags *pflag.FlagSet) {
		flags.StringVar(&m.output, "output", "", "Write the modules into `DIR`, new or empty")
		flags.StringVar(&m.symvers, "symvers", "", "Write the symbols that the modules export, their Module.symvers, to `FILE`")
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := cli.ReadArguments(cmd, args); err != nil {
			return err
		}
		if err := cli.Required(cmd, "arch", "module-tree", "output"); err != nil {
			return err
		}
		m.module.Sources = map[string]string{}
		for _, text := range m.sources {
			name, file, ok := strings.Cut(text, "=")
			if !ok || !filepath.IsLocal(name) {
				return cli.Usagef(cmd, "--source %s: want NAME=FILE with a relative NAME", text)
			}
			m.module.Sources[name] = file
		}
		return m.start(cmd.Context(), build)
	}
	return cmd
}

func (m *moduleBuild) start(ctx context.Context, options *buildOptions) error {
	if err := options.toolchain.CheckLink(ctx); err != nil {
		return err
	}
	if err := makeEmpty(m.output); err != nil {
		return err
	}
	return options.withBuild(ctx, func(build *kbuild.Build) error { return m.run(ctx, build) })
}

func (m *moduleBuild) run(ctx context.Context, build *kbuild.Build) error {
	if err := unpackSnapshot(ctx, m.tree, snapshot.ModuleTree, build); err != nil {
		return err
	}
	if _, err := external.CheckTree(build); err != nil {
		return fmt.Errorf("%s: %w", m.tree, err)
	}
	result, err := m.module.Compile(ctx, build)
	if err != nil {
		return err
	}
	if err := m.write(result); err != nil {
		return errors.Join(err, empty(m.output))
	}
	return nil
}

func (m *moduleBuild) write(result *external.Result) error {
	for _, file := range result.Modules {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(m.output, filepath.Base(file)), content, 0o644); err != nil {
			return err
		}
	}
	if m.symvers == "" {
		return nil
	}
	return os.WriteFile(m.symvers, result.Symvers, 0o644)
}
