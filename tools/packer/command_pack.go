package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/progress"
)

const packHelp = `Usage: packer pack --out FILE [OPTION...] LIST|DIR|ARCHIVE...

Packs what the lists, directories and archives say, one after the other, into one
archive. Of a directory, all that is in it is packed, with the owners and modes
that it has on disk, sorted. An archive is an image as the kernel takes it (cpio -H
newc, in any codec, several in a row) or a tar archive, compressed or not; its first
bytes tell, not its name. A list is what the kernel's usr/gen_init_cpio reads; "-"
is standard input:

  file <name> <location> <mode> <uid> <gid> [<hard links>...]
  dir|pipe|sock <name> <mode> <uid> <gid>
  nod <name> <mode> <uid> <gid> <dev_type> <maj> <min>
  slink <name> <target> <mode> <uid> <gid>

In a name, target or location \ooo (three octal digits) stands for a byte: \040
is a blank. ${VAR} in a location is a value of --var.

On an error the exit code is 1 and FILE is as it was; wrong usage exits with 2.

Options:
`

func runPack(ctx context.Context, args []string) error {
	opts := pack.Options{Read: source.Options{Vars: map[string]string{}}}
	flags := flag.NewFlagSet("packer pack", flag.ContinueOnError)
	flags.StringVar(&opts.Out, "out", "", "write the archive to `FILE`")
	addMethodFlags(flags, &opts.Options)
	opts.MemberSize = -1
	flags.Func("segments", "compress in segments, in parallel: `auto`, one, or the size of a segment in bytes (default auto: 8 MiB, or 32 MiB with zstd 6 to 9)",
		func(text string) (err error) {
			opts.MemberSize, err = parseSegments(text)
			return err
		})
	flags.IntVar(&opts.Jobs, "jobs", runtime.GOMAXPROCS(0), "compress up to `N` segments at once; the bytes do not depend on it")
	addFormatFlags(flags, &opts.Options)
	flags.Func("align", "begin the content of files over `BYTES` at multiples of it in the archive, where the names' padding has room; a power of two, from 4 on",
		func(text string) (err error) {
			opts.Align, err = parseAlign(text)
			return err
		})
	flags.BoolVar(&opts.Parents, "parents", false, "add missing parent directories, 0755 0 0, and put every directory before what is in it")
	flags.BoolVar(&opts.AllowDuplicates, "allow-duplicates", false, "pack a path that is given twice twice, as the kernel's tool does: the last one counts")
	flags.BoolVar(&opts.Dedupe, "dedupe", false, "make hard links of files that have the same content, mode and owner")
	addFrameFlags(flags, &opts.Options)
	flags.StringVar(&opts.ContentsOut, "write-contents", "", "write files out of archives to `DIR`, new or empty, for the list of --write-list to name")
	addListingFlags(flags, &opts.Options)
	flags.Func("var", "`NAME=VALUE`: what ${NAME} in a location stands for; may be repeated", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return fmt.Errorf("want NAME=VALUE")
		}
		opts.Read.Vars[name] = value
		return nil
	})
	flags.BoolVar(&opts.Read.Directives, "directives", false, `apply the directives of lists, the lines that begin with "#:"`)
	flags.BoolVar(&opts.Layer, "layer", false, "make one layer of an image for packer join, which needs the list of --write-list too")
	if err := cli.ParseFlags(flags, packHelp, args); err != nil {
		return err
	}
	opts.Lists = flags.Args()
	switch {
	case opts.Out == "":
		return cli.UsageFault(flags, "no --out FILE")
	case opts.Jobs < 1:
		return cli.UsageFault(flags, "--jobs %d: want 1 or more", opts.Jobs)
	case bothMethods(flags):
		return cli.UsageFault(flags, "--compress, --compressor and --compressor-program: want one of them")
	case len(opts.Lists) == 0:
		return cli.UsageFault(flags, "no LIST, DIR or ARCHIVE")
	case opts.ContentsOut != "" && opts.ListOut == "":
		return cli.UsageFault(flags, "--write-contents goes with --write-list")
	}
	line := progress.Start(os.Stderr)
	defer line.Stop()
	opts.Progress = line.Set
	opts.Warn = func(message string) {
		line.Aside(func() { fmt.Fprintln(os.Stderr, "packer: warning:", message) })
	}
	return pack.Run(ctx, opts)
}

// parseSegments reads the size of a segment; 0 stands for one segment, -1 for a size
// that depends on the codec.
func parseSegments(text string) (int64, error) {
	switch text {
	case "auto":
		return -1, nil
	case "one":
		return 0, nil
	}
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 4096 || size > 1<<30 {
		return 0, errors.New("want auto, one, or a size of 4096 to 1073741824 bytes")
	}
	return size, nil
}

// parseAlign reads a power of two that is a multiple of 4.
func parseAlign(text string) (uint32, error) {
	align, err := strconv.ParseUint(text, 10, 32)
	if err != nil || align < 4 || align&(align-1) != 0 {
		return 0, errors.New("want a power of two from 4 to 2147483648")
	}
	return uint32(align), nil
}
