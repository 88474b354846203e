package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func genInitramfsCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "gen_initramfs [-o FILE] [-l DEPS] {-u UID | -g GID | -d DATE | SOURCE}...",
		GroupID:            groupKernel,
		Short:              "Pack lists and directories as the kernel's usr/gen_initramfs.sh does",
		DisableFlagParsing: true, // options apply to the sources after them
		Long: `Pack lists and directories as the kernel's usr/gen_initramfs.sh does, with the same
options and the same bytes. A SOURCE is a list in the syntax of packer gen_init_cpio, or a
directory, which is packed with everything below it. Arguments are read from left to right.

Options:
  -o FILE  Write the archive to FILE instead of standard output
  -l DEPS  Write the makefile DEPS, which sets deps_initramfs to all files read
  -u UID   Map UID to 0 in the directories that follow; "squash" is every user, -1 is the
           current user
  -g GID   Map GID to 0, likewise
  -d DATE  Set the time of all entries: @SECONDS since 1970, RFC 3339, RFC 2822, or the
           output of date(1) (default: now, and for regular files the time of the file)
  -h       Print this help

After an error, the exit code is 1, and FILE and DEPS are unchanged. Wrong usage exits
with 2.`,
		Example: "packer gen_initramfs -o initramfs.cpio -u squash -g squash rootfs extra.list",
		RunE:    runGenInitramfs,
	}
}

func runGenInitramfs(cmd *cobra.Command, args []string) error {
	g := generator{ctx: cmd.Context(), opts: kernelOptions()}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch arg {
		case "-h", "--help":
			return cmd.Help()
		case "-l", "-o", "-u", "-g", "-d":
			if len(args) == 0 {
				return cli.Usagef(cmd, "option %s needs a value", arg)
			}
			if err := g.option(arg, args[0]); err != nil {
				return cli.Usagef(cmd, "%w", err)
			}
			args = args[1:]
		default:
			if strings.HasPrefix(arg, "-") {
				return cli.Usagef(cmd, "ERROR: unknown option %q: write ./%s for a file of that name", arg, arg)
			}
			g.source(arg)
		}
	}
	if len(g.errs) > 0 {
		return errors.Join(g.errs...)
	}
	return kernelError(write.Outputs(cmd.Context(), g.entries, g.opts.Options))
}

// generator collects entries and options from the arguments.
type generator struct {
	ctx     context.Context
	opts    pack.Options
	owners  source.Owners
	entries []*list.Entry
	errs    []error
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

// parseSquash reads which IDs on disk become 0; own is the ID of the caller.
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
		// "-" would be standard input, but it was refused as an option.
		entries, err = source.ReadLists(g.ctx, []string{name}, g.opts.Read)
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
		g.errs = append(g.errs, err)
	}
	g.entries = append(g.entries, entries...)
	g.opts.Deps = append(g.opts.Deps, paths...)
}

// dateLayouts are the forms of a date that parseDate knows, with one space where date(1)
// accepts any number. A form without a zone is local time.
var dateLayouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05 Z0700",
	"2006-01-02 15:04:05 MST",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04",
	"2006-01-02",
	"Mon, 2 Jan 2006 15:04:05 -0700", // RFC 2822, date -R
	"Mon, 2 Jan 2006 15:04:05 MST",
	"2 Jan 2006 15:04:05 -0700",
	"2 Jan 2006 15:04:05 MST",
	"Mon Jan 2 15:04:05 MST 2006", // date in the C locale
	"Mon Jan 2 15:04:05 -0700 2006",
	"Mon Jan 2 15:04:05 2006 -0700", // git log
	"Mon Jan 2 15:04:05 2006 MST",
	"Mon Jan 2 15:04:05 2006",
	"Mon Jan 2 3:04:05 PM MST 2006", // date in en_US
	"Mon 2 Jan 2006 3:04:05 PM MST",
	"Mon 2 Jan 15:04:05 MST 2006", // date in en_GB
	"Jan 2 2006 15:04:05 MST",
}

// parseDate reads a date as date -d does, in the forms that are common in
// KBUILD_BUILD_TIMESTAMP. Other forms that date understands, such as words and most names of
// zones, are errors.
func parseDate(text string) (time.Time, error) {
	text = strings.Join(strings.Fields(text), " ")
	if seconds, ok := strings.CutPrefix(text, "@"); ok {
		n, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("bad date %q: want @SECONDS since 1970", text)
		}
		return time.Unix(n, 0), nil
	}
	for _, layout := range dateLayouts {
		t, err := time.ParseInLocation(layout, text, time.Local)
		if err != nil {
			continue
		}
		// time.ParseInLocation reads an abbreviation that the local zone does not have as UTC.
		zone, _ := t.Zone()
		if strings.Contains(layout, "MST") && t.Location() != time.UTC && t.Location() != time.Local && zone != "GMT" {
			return time.Time{}, fmt.Errorf("bad date %q: unknown zone %s: want UTC or an offset such as +0100", text, zone)
		}
		// If the day of the week is another, date would choose the next such day.
		if day := t.Weekday().String()[:3]; strings.HasPrefix(layout, "Mon") && !strings.EqualFold(text[:3], day) {
			return time.Time{}, fmt.Errorf("bad date %q: that day is a %s", text, t.Weekday())
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("bad date %q: want @SECONDS since 1970, or a date such as 2006-01-02T15:04:05Z", text)
}
