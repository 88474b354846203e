package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
)

// userHeaders is what kernel headers was asked for.
type userHeaders struct {
	tarball string
	patches []string
	output  string
}

func headersCommand() *cobra.Command {
	var h userHeaders
	cmd := &cobra.Command{
		Use:     "headers --arch ARCH --source FILE --output DIR [OPTION...]",
		GroupID: groupModules,
		Short:   "Install a kernel's headers for programs",
		Long: `Install the headers that programs include to talk to a kernel (UAPI), as make headers_install
does. They do not depend on its configuration. After an error, the exit code is 1 and there
are no results. Wrong usage exits with 2.`,
		Example: "kernel headers --arch x86_64 --source linux.tar.xz --output headers",
		Args:    cli.Args(),
	}
	build := addBuildOptions(cmd)
	cli.Options(cmd, "Source", func(flags *pflag.FlagSet) {
		flags.StringVar(&h.tarball, "source", "", "Take the kernel's source from the tarball `FILE`")
		flags.StringArrayVar(&h.patches, "patch", nil, "Apply the patch `FILE` with -p1; may be repeated")
	})
	cli.Options(cmd, "Results", func(flags *pflag.FlagSet) {
		flags.StringVar(&h.output, "output", "", "Write the headers into `DIR`/include, DIR new or empty")
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cli.Required(cmd, "arch", "source", "output"); err != nil {
			return err
		}
		return h.start(cmd.Context(), build)
	}
	return cmd
}

func (h *userHeaders) start(ctx context.Context, options *buildOptions) error {
	if err := options.toolchain.CheckLink(ctx); err != nil {
		return err
	}
	if err := makeEmpty(h.output); err != nil {
		return err
	}
	return options.withBuild(ctx, func(build *kbuild.Build) error {
		keep := kbuild.IsHeadersSource
		if len(h.patches) > 0 { // they may change any file
			keep = nil
		}
		if _, err := unpackSource(ctx, build, h.tarball, h.patches, keep); err != nil {
			return err
		}
		if err := build.InstallHeaders(ctx, h.output); err != nil {
			return errors.Join(err, empty(h.output))
		}
		return nil
	})
}
