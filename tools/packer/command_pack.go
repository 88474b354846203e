package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func packCommand() *cobra.Command {
	opts := pack.Options{
		Read:    source.Options{Vars: map[string]string{}},
		Options: write.Options{MemberSize: sizeOfMethod, Jobs: runtime.GOMAXPROCS(0)},
	}
	var finishMethod func(*cobra.Command) error
	cmd := &cobra.Command{
		Use:     "pack --out FILE [OPTION...] SOURCE...",
		GroupID: groupMake,
		Short:   "Pack lists, directories and archives into an image",
		Long: `Pack lists, directories and archives into one image, in the order given. The content of a
SOURCE shows what it is, not its name. "-" is standard input.

A directory is packed with everything below it, sorted, with the owners and modes that it
has on disk. An archive is an image that the kernel unpacks (cpio newc, with any codec,
any number of members), a tar archive, compressed or not, or a Debian package. A list has the syntax of the
kernel's usr/gen_init_cpio, which "packer gen_init_cpio --help" shows.

Equal entries of one path are packed once, and unequal ones are an error.

In a name, target or location, \ooo (three octal digits) is a byte: \040 is a space. In a
location, ${NAME} is replaced with the value that --var sets.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer pack --out initramfs --compress zstd --parents rootfs extra.list",
		Args:    cli.Args("SOURCE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(cli.Required(cmd, "out"), finishMethod(cmd)); err != nil {
				return err
			}
			if err := checkContents(cmd, &opts.Options); err != nil {
				return err
			}
			if err := opts.LibraryOptions.Check(); err != nil {
				return cli.Usagef(cmd, "%v", err)
			}
			opts.Lists = args
			return runPack(cmd.Context(), opts)
		},
	}
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&opts.Out, "out", "", "Write the image to `FILE`")
		addListingOptions(flags, &opts.Options)
		flags.StringVar(&opts.ContentsOut, "write-contents", "",
			"Write files that come from archives to `DIR`, new or empty, so that the list of --write-list can name them")
	})
	cli.Options(cmd, "Compression", func(flags *pflag.FlagSet) {
		finishMethod = addMethodOptions(flags, &opts.Options)
		addParsed(flags, &opts.MemberSize, "split", parseSplit,
			"Split the image into members, which are compressed in parallel: `HOW` is size (a size that suits the codec: 8 MiB, or 32 MiB for zstd:6 to zstd:9), none, or a number of bytes (default size)")
		cli.AddJobs(flags, &opts.Jobs, "Compress up to `N` members at once (default: one per CPU); the image does not depend on it")
	})
	cli.CompleteValues(cmd, "compress", codec.Names()...)
	cli.CompleteValues(cmd, "split", "size", "none")
	cli.Options(cmd, "Entries", func(flags *pflag.FlagSet) {
		flags.BoolVar(&opts.Parents, "parents", false, "Add missing parent directories (0755 0 0), and put each directory before its contents")
		flags.BoolVar(&opts.AllowDuplicates, "allow-duplicates", false, "Allow duplicate paths; the last one wins")
		flags.BoolVar(&opts.Dedupe, "dedupe", false, "Make files with the same content, mode and owner hard links of each other")
		addFormatOptions(flags, &opts.Options)
		addParsed(flags, &opts.Read.Whiteouts, "whiteouts", source.ParseWhiteouts,
			"What to do with whiteouts (.wh.NAME) in archives and directories, by `MODE`: error (default), apply, which takes the archives for the layers of a container image, or keep")
		addParsed(flags, &opts.Read.Owner, "owner", parseOwner,
			"Give everything in directories the owner `UID:GID`, such as 0:0, instead of the one on disk")
		addModuleCatalogOption(flags, &opts.ModuleCatalogs)
		addParsed(flags, &opts.Align, "align", parseAlign,
			"Align the content of files larger than `BYTES` to a multiple of it in the archive, if the padding of the name has room; a power of two, at least 4")
		flags.Func("var", "Replace ${NAME} in locations, as in `NAME=VALUE`; may be repeated", func(text string) error {
			name, value, ok := strings.Cut(text, "=")
			if !ok || name == "" {
				return fmt.Errorf("%q: want NAME=VALUE", text)
			}
			opts.Read.Vars[name] = value
			return nil
		})
	})
	cli.Options(cmd, "Libraries", func(flags *pflag.FlagSet) {
		flags.StringArrayVar(&opts.Libraries, "libraries", nil, "Add what the programs need at run time, their loader and shared libraries, from `SOURCE`, a directory or an archive, and nothing else of it; may be repeated")
		flags.StringVar(&opts.Dlopen, "library-dlopen", source.DlopenRecommended, "Add what programs load by dlopen(3) too, as the notes in them say, if its `PRIORITY` is at least this: none, required, recommended or suggested")
		flags.StringArrayVar(&opts.Features, "library-feature", nil, "Add what programs load by dlopen(3) for the feature `NAME`, or for -NAME do not, whatever its priority; may be repeated")
		flags.StringArrayVar(&opts.Extras, "library-extra", nil, "Add what the GNU C library loads by itself: `WHAT` is gconv, libgcc_s or nss; may be repeated")
	})
	cli.CompleteValues(cmd, "library-dlopen", source.DlopenPriorities...)
	cli.CompleteValues(cmd, "library-extra", source.LibraryExtras...)
	cli.Options(cmd, "Before and after the archive", func(flags *pflag.FlagSet) { addFrameOptions(flags, &opts.Options) })
	cli.Options(cmd, "For build systems", func(flags *pflag.FlagSet) {
		flags.BoolVar(&opts.Read.Directives, "directives", false, `Obey the directives in lists: lines that begin with "#: "`)
		flags.StringVar(&opts.Outputs, "build-outputs", "", "Files below `DIR` are outputs of build actions: keep links that are declared as links, and refuse links to files that are neither outputs nor sources")
		flags.StringArrayVar(&opts.Earlier, "earlier", nil, "Follow the symbolic links of an earlier layer, which packer links has written to `FILE`; may be repeated")
		flags.BoolVar(&opts.Layer, "layer", false, "Make one layer of an image, for packer join: the completed list records what join has to check")
	})
	return cmd
}

func runPack(ctx context.Context, opts pack.Options) error {
	line := startProgress(os.Stderr)
	defer line.stop()
	opts.Progress = line.set
	opts.Warn = func(message string) { line.interrupt(func() { warn(message) }) }
	return pack.Run(ctx, opts)
}

// Sizes of members that are not a number of bytes.
const (
	sizeOfMethod = -1
	sizeWhole    = 0
)

// parseSplit reads the size of a member in bytes.
func parseSplit(text string) (int64, error) {
	switch text {
	case "size":
		return sizeOfMethod, nil
	case "none":
		return sizeWhole, nil
	}
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 4096 || size > 1<<30 {
		return 0, fmt.Errorf("%q: want size, none, or 4096 to 1073741824 bytes", text)
	}
	return size, nil
}

// parseOwner reads the numbers of a user and a group.
func parseOwner(text string) (*source.Owner, error) {
	user, group, ok := strings.Cut(text, ":")
	uid, uidErr := list.ParseField("uid", user)
	gid, gidErr := list.ParseField("gid", group)
	if !ok || uidErr != nil || gidErr != nil {
		return nil, fmt.Errorf("%q: want two numbers, such as 0:0", text)
	}
	return &source.Owner{UID: uid, GID: gid}, nil
}

// parseAlign reads a power of two that is a multiple of 4.
func parseAlign(text string) (uint32, error) {
	align, err := strconv.ParseUint(text, 10, 32)
	if err != nil || align < 4 || align&(align-1) != 0 {
		return 0, errors.New("want a power of two from 4 to 2147483648")
	}
	return uint32(align), nil
}
