package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

const genInitramfsHelp = `Usage: packer gen_initramfs [-o FILE] [-l DEPS] {-u UID | -g GID | -d DATE | SOURCE}...

Packs lists and directories as the kernel's usr/gen_initramfs.sh does: the same
options, the same bytes. A SOURCE is a list, as of packer gen_init_cpio, or a
directory, of which all that is in it is packed. Arguments are read from left to
right.

  -o FILE  write the archive to FILE instead of standard output
  -l DEPS  write the makefile DEPS, which sets deps_initramfs to all files read
  -u UID   let user UID own what user 0 owns, in directories from here on; "squash"
           is every user, -1 the current one
  -g GID   the same for groups
  -d DATE  the time of all entries: @SECONDS since 1970, RFC 3339, RFC 2822, or what
           date(1) prints; the default is the present for all but regular files,
           which keep their own
  -h       print this

On an error the exit code is 1 and FILE and DEPS are as they were; wrong usage
exits with 2.
`

func runGenInitramfs(ctx context.Context, args []string) error {
	g := generator{opts: kernelOptions()}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch arg {
		case "-h", "--help":
			fmt.Print(genInitramfsHelp)
			return flag.ErrHelp
		case "-l", "-o", "-u", "-g", "-d":
			if len(args) == 0 {
				return kernelUsage(genInitramfsHelp, fmt.Errorf("option %s wants a value", arg))
			}
			if err := g.option(arg, args[0]); err != nil {
				return kernelUsage(genInitramfsHelp, err)
			}
			args = args[1:]
		default:
			if strings.HasPrefix(arg, "-") {
				return kernelUsage(genInitramfsHelp, fmt.Errorf("ERROR: unknown option %q: a file of that name is ./%s", arg, arg))
			}
			g.source(arg)
		}
	}
	if len(g.faults) > 0 {
		return errors.Join(g.faults...)
	}
	return kernelError(write.Outputs(ctx, g.entries, g.opts.Options))
}

// generator gathers what the arguments say.
type generator struct {
	opts    pack.Options
	owners  source.Owners
	entries []*list.Entry
	faults  []error
}

func (g *generator) option(option, value string) (err error) {
	switch option {
	case "-l":
		g.opts.DepsOut = value
	case "-o":
		g.opts.Out = value
	case "-u":
		g.owners.UID, err = parseSquash(value, os.Geteuid())
	case "-g":
		g.owners.GID, err = parseSquash(value, os.Getegid())
	case "-d":
		var date time.Time
		if date, err = parseDate(value); err == nil {
			err = setTime(&g.opts, date.Unix())
		}
	}
	if err != nil {
		return fmt.Errorf("option %s: %w", option, err)
	}
	return nil
}

// parseSquash reads which ids on disk become 0; own is the caller's.
func parseSquash(text string, own int) (source.Squash, error) {
	switch text {
	case "squash":
		return source.Squash{All: true}, nil
	case "-1":
		return source.Squash{ID: uint32(own)}, nil
	}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return source.Squash{}, fmt.Errorf("bad id %q: want a decimal number, squash or -1", text)
	}
	return source.Squash{ID: uint32(id)}, nil
}

// source reads a list or a directory.
func (g *generator) source(name string) {
	info, err := os.Stat(name)
	var (
		entries []*list.Entry
		paths   []string
	)
	switch {
	case err == nil && info.IsDir():
		entries, paths, err = source.ReadDirectory(name, g.owners)
	case err == nil && info.Mode().IsRegular():
		// A list "-" would be standard input, but that is an unknown option.
		entries, err = source.ReadLists([]string{name}, g.opts.Read)
		paths = append(paths, name)
		for _, e := range entries {
			if e.Kind == list.File {
				paths = append(paths, e.Location)
			}
		}
	case err == nil:
		err = fmt.Errorf("Cannot open '%s': neither a regular file nor a directory", name)
	default:
		err = fmt.Errorf("Cannot open '%s': %w", name, errors.Unwrap(err))
	}
	if err != nil {
		g.faults = append(g.faults, err)
	}
	g.entries = append(g.entries, entries...)
	g.opts.Deps = append(g.opts.Deps, paths...)
}
