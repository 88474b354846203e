package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

const genInitCpioHelp = `Usage: packer gen_init_cpio [-t EPOCH] [-c] [-o FILE] [-a ALIGN] LIST

Packs a list as the kernel's usr/gen_init_cpio does: the same options, the same
bytes. LIST is a file, or "-" for standard input:

  # a comment
  file <name> <location> <mode> <uid> <gid> [<hard links>...]
  dir|pipe|sock <name> <mode> <uid> <gid>
  nod <name> <mode> <uid> <gid> <dev_type> <maj> <min>
  slink <name> <target> <mode> <uid> <gid>

In a location ${VAR} is a variable of the environment.

  -t EPOCH  the time of all entries, in seconds since 1970; the default is the
            present for all but regular files, which keep their own
  -c        add a sum over the content of each file, which the kernel checks
  -o FILE   write the archive to FILE instead of standard output
  -a ALIGN  begin the content of files over ALIGN bytes at multiples of it, where
            the names' padding has room; a power of two, from 4 on
  -h        print this

Where the kernel's tool drops something of the list and exits with 0, this one
fails with 1. Then FILE is as it was; wrong usage exits with 2.
`

func runGenInitCpio(ctx context.Context, args []string) error {
	if slices.Contains(args, "--help") {
		fmt.Print(genInitCpioHelp)
		return flag.ErrHelp
	}
	opts := kernelOptions()
	lists, err := getopt(args, "t:cho:a:", func(option byte, value string) (err error) {
		switch option {
		case 't':
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("Invalid timestamp: %s", value)
			}
			return setTime(&opts, seconds)
		case 'c':
			opts.Checksum = true
		case 'o':
			opts.Out = value
		case 'a':
			if opts.Align, err = parseAlign(value); err != nil && strings.Trim(value, "0") != "" {
				return fmt.Errorf("Invalid data_align: %s: %w", value, err)
			}
		case 'h':
			return flag.ErrHelp
		}
		return nil
	})
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(genInitCpioHelp)
		return err
	case errors.Is(err, errTimeRange):
		return err
	case err != nil:
		return kernelUsage(genInitCpioHelp, err)
	case len(lists) != 1:
		return kernelUsage(genInitCpioHelp, errors.New("want one LIST"))
	}
	entries, err := source.ReadLists(lists, opts.Read)
	var open *fs.PathError
	if errors.As(err, &open) && open.Op == "open" {
		return fmt.Errorf("ERROR: unable to open '%s': %w", open.Path, open.Err)
	}
	if err != nil {
		return err
	}
	return kernelError(write.Outputs(ctx, entries, opts.Options))
}

// kernelOptions are what the kernel's tools do unless they are told otherwise.
func kernelOptions() pack.Options {
	vars := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		vars[name] = value
	}
	return pack.Options{
		Read: source.Options{Vars: vars, NoEscapes: true},
		Options: write.Options{
			ArchiveOptions: write.ArchiveOptions{
				MTime:     uint32(time.Now().Unix()),
				FileTimes: true,
				Warn:      func(message string) { fmt.Fprintln(os.Stderr, message) },
			},
			Out:  write.Stdout,
			Perm: 0o600,
		},
	}
}

var errTimeRange = errors.New("ERROR: Timestamp out of range for cpio format")

// setTime gives every entry the same time, in seconds since 1970.
func setTime(opts *pack.Options, seconds int64) error {
	if seconds < 0 || seconds > math.MaxUint32 {
		return errTimeRange
	}
	opts.MTime = uint32(seconds)
	opts.FileTimes = false
	return nil
}

// kernelUsage reports wrong usage with the usage behind it, as the kernel's tools
// do.
func kernelUsage(help string, err error) error {
	fmt.Fprintf(os.Stderr, "packer: %v\n%s", err, help)
	return cli.ErrUsage
}

// kernelError puts the kernel's words before an error that its users know.
func kernelError(err error) error {
	var location *source.LocationError
	if !errors.As(err, &location) {
		return err
	}
	words := map[source.LocationFault]string{
		source.Unopened: "File %s could not be opened for reading: %w",
		source.TooLarge: "%s: Size exceeds maximum cpio file size: %w",
		source.Unread:   "Can not read %s file: %w",
	}
	return fmt.Errorf(words[location.Fault], location.Location, err)
}
