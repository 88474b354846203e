package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

func genInitCpioCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "gen_init_cpio [-t EPOCH] [-c] [-o FILE] [-a ALIGN] LIST",
		GroupID:            groupKernel,
		Short:              "Pack a list as the kernel's usr/gen_init_cpio does",
		DisableFlagParsing: true, // the options are getopt's
		Long: `Pack a list as the kernel's usr/gen_init_cpio does, with the same options and the same
bytes. LIST is a file, or "-" for standard input:

  # a comment
  file NAME LOCATION MODE UID GID [HARDLINK...]
  dir|pipe|sock NAME MODE UID GID
  nod NAME MODE UID GID c|b MAJOR MINOR
  slink NAME TARGET MODE UID GID

In a location, ${VAR} is a variable of the environment.

Options:
  -t EPOCH  Set the time of all entries, in seconds since 1970 (default: now, and for
            regular files the time of the file)
  -c        Add a checksum of the content of each file, which the kernel verifies
  -o FILE   Write the archive to FILE instead of standard output
  -a ALIGN  Align the content of files larger than ALIGN bytes to a multiple of it, if the
            padding of the name has room; a power of two, at least 4
  -h        Print this help

Where the kernel's tool drops a part of the list and exits with 0, this one fails with
exit code 1. After an error, FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer gen_init_cpio -t 0 -o initramfs.cpio initramfs.list",
		RunE:    runGenInitCpio,
	}
}

func runGenInitCpio(cmd *cobra.Command, args []string) error {
	if slices.Contains(args, "--help") {
		return cmd.Help()
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
			return errHelp
		}
		return nil
	})
	switch {
	case errors.Is(err, errHelp):
		return cmd.Help()
	case errors.Is(err, errTimeRange):
		return err
	case err != nil:
		return cli.Usagef(cmd, "%w", err)
	}
	if err := cli.Args("LIST")(cmd, lists); err != nil {
		return err
	}
	entries, err := source.ReadLists(cmd.Context(), lists, opts.Read)
	var open *fs.PathError
	if errors.As(err, &open) && open.Op == "open" {
		return fmt.Errorf("ERROR: unable to open '%s': %w", open.Path, open.Err)
	}
	if err != nil {
		return err
	}
	return kernelError(write.Outputs(cmd.Context(), entries, opts.Options))
}

// kernelOptions returns the defaults of the kernel's tools.
func kernelOptions() pack.Options {
	vars := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		vars[name] = value
	}
	return pack.Options{
		Read: source.Options{Vars: vars, Kernel: true},
		Options: write.Options{
			ArchiveOptions: write.ArchiveOptions{
				MTime:     uint32(time.Now().Unix()),
				FileTimes: true,
				Warn:      func(message string) { fmt.Fprintln(os.Stderr, printable.Text(message)) },
			},
			Out:  write.Stdout,
			Perm: 0o600,
		},
	}
}

// errHelp reports that -h asks for help.
var errHelp = errors.New("help")

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

// kernelError puts the words of the kernel's tool before an error, for users who know them.
func kernelError(err error) error {
	var location *source.LocationError
	if !errors.As(err, &location) {
		return err
	}
	words := map[source.Reason]string{
		source.Unopened: "File %s could not be opened for reading: %w",
		source.TooLarge: "%s: Size exceeds maximum cpio file size: %w",
		source.Unread:   "Can not read %s file: %w",
	}
	return fmt.Errorf(words[location.Reason], location.Location, err)
}

// getopt calls take for each option of the arguments and returns the operands, as getopt(3)
// of the GNU C library does: options are one letter, several may share a dash, the value of
// an option is in the same argument or the next, options may follow operands, and "--" ends
// them. options has the known letters; a colon follows a letter that takes a value.
func getopt(args []string, options string, take func(option byte, value string) error) (operands []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			return append(operands, args...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			operands = append(operands, arg)
			continue
		}
		for rest := arg[1:]; rest != ""; {
			option := rest[0]
			rest = rest[1:]
			at := strings.IndexByte(options, option)
			if at < 0 || option == ':' {
				return nil, fmt.Errorf("invalid option -- '%c'", option)
			}
			value := ""
			if strings.HasPrefix(options[at+1:], ":") {
				if value, rest = rest, ""; value == "" {
					if len(args) == 0 {
						return nil, fmt.Errorf("option requires an argument -- '%c'", option)
					}
					value, args = args[0], args[1:]
				}
			}
			if err := take(option, value); err != nil {
				return nil, err
			}
		}
	}
	return operands, nil
}
