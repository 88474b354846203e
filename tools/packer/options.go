package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// addParsed adds an option whose value is what parse reads from its text.
func addParsed[T any](flags *pflag.FlagSet, to *T, name string, parse func(string) (T, error), usage string) {
	flags.Func(name, usage, func(text string) (err error) {
		*to, err = parse(text)
		return err
	})
}

// addMethodOptions adds the options that choose how to compress. finish must be called after
// the options are parsed.
func addMethodOptions(flags *pflag.FlagSet, opts *write.Options) (finish func(*cobra.Command) error) {
	var program string
	var args []string
	addParsed(flags, &opts.Method, "compress", codec.Parse,
		"Compress with `CODEC[:LEVEL]`, such as zstd or gzip:6 (default none)")
	addParsed(flags, &opts.Method, "compressor", codec.ParseProgram,
		"Compress with the program `COMMAND`, such as 'zstd -19': it compresses standard input to standard output, and runs without a shell")
	flags.StringVar(&program, "compressor-program", "", "Like --compressor, but `PROGRAM` is not split into words")
	flags.StringArrayVar(&args, "compressor-arg", nil, "Pass `ARGUMENT` to --compressor-program; may be repeated")
	return func(cmd *cobra.Command) (err error) {
		switch {
		case program != "":
			opts.Method, err = codec.Program(append([]string{program}, args...)...)
		case args != nil:
			err = cli.Usagef(cmd, "--compressor-arg needs --compressor-program")
		}
		return errors.Join(err, cli.Exclusive(cmd, "compress", "compressor", "compressor-program"))
	}
}

// addListingOptions adds the options that name files for what is in the image.
func addListingOptions(flags *pflag.FlagSet, opts *write.Options) {
	flags.StringVar(&opts.ListOut, "write-list", "", "Write the completed list of the image to `FILE`")
	opts.ViewsOut = map[string]string{}
	for _, view := range write.Views() {
		flags.Func("write-"+view.Name, "Write to `FILE` "+view.Doc(), func(name string) error {
			opts.ViewsOut[view.Name] = name
			return nil
		})
	}
}

// addFormatOptions adds the options that apply to every record of an archive.
func addFormatOptions(flags *pflag.FlagSet, opts *write.Options) {
	flags.Func("mtime", "Set the mtime of every entry, in `SECONDS` since 1970 (default 0)", func(text string) error {
		mtime, err := strconv.ParseUint(text, 10, 32)
		opts.MTime = uint32(mtime)
		if err != nil {
			return fmt.Errorf("%q: want 0 to 4294967295", text)
		}
		return nil
	})
	flags.BoolVar(&opts.Checksum, "checksum", false, "Add a checksum of the content of each file, which the kernel verifies")
}

// checkContents returns an error if --write-contents comes without a list that names its files.
func checkContents(cmd *cobra.Command, opts *write.Options) error {
	if opts.ContentsOut != "" && opts.ListOut == "" {
		return cli.Usagef(cmd, "--write-contents needs --write-list")
	}
	return nil
}

// addModuleCatalogOption adds the option that says which kernel modules the sources have.
func addModuleCatalogOption(flags *pflag.FlagSet, names *[]string) {
	flags.StringArrayVar(names, "module-catalog", nil,
		"Merge the indexes of kernel modules that several layers have: `FILE` is the catalog of one of them, which packer modules --write-layer-catalog has written; repeat it for each")
}

// addFrameOptions adds the options for what comes before and after an archive.
func addFrameOptions(flags *pflag.FlagSet, opts *write.Options) {
	flags.StringArrayVar(&opts.Prepend, "prepend", nil,
		"Begin the image with the uncompressed early archive `FILE`, such as microcode; may be repeated")
	flags.StringVar(&opts.Bootconfig, "bootconfig", "", "End the image with the boot configuration in `FILE`")
}

// addOutOption adds the option that names a file for a command's results.
func addOutOption(flags *pflag.FlagSet, out *string, more string) {
	flags.StringVar(out, "out", "", "Write to `FILE` instead of standard output; after an error, FILE is unchanged"+more)
}

// writeResults writes the results of a command to standard output or, if name is not empty,
// to a file that gets this name when it is complete.
func writeResults(ctx context.Context, name string, content func(io.Writer) error) error {
	if name != "" {
		return write.File(ctx, name, content)
	}
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	err := content(out)
	return errors.Join(out.Flush(), err)
}

// warn prints a warning.
func warn(message string) { fmt.Fprintln(os.Stderr, "packer: warning:", printable.Text(message)) }

// count returns a number and what it counts.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
