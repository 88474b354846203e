// Command packer packs Linux initramfs images.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// version changes with the bytes that the packer writes.
const version = "0.2.0"

// command is one of the packer's: a file and a row of commands.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string) error
}

var commands = []command{
	{"pack", "make an archive of what lists, directories and archives say", runPack},
	{"gen_init_cpio", "pack a list as the kernel's usr/gen_init_cpio does", runGenInitCpio},
	{"gen_initramfs", "pack lists and directories as the kernel's usr/gen_initramfs.sh does", runGenInitramfs},
	{"concat", "join images", runConcat},
	{"join", "join the layers of an image", runJoin},
	{"bootconfig", "print, add or remove the boot configuration behind an image", runBootconfig},
	{"ls", "list what is in an image", runLs},
	{"cat", "print files of an image", runCat},
	{"extract", "unpack an image to a directory", runExtract},
	{"diff", "compare what is in two images", runDiff},
	{"lint", "find what is wrong with an image before it boots", runLint},
}

// links are the names that make the packer a command of its own, as a link to
// it has: those of the kernel's tools, which it can replace.
var links = map[string]string{
	"gen_init_cpio":    "gen_init_cpio",
	"gen_initramfs":    "gen_initramfs",
	"gen_initramfs.sh": "gen_initramfs",
}

func main() {
	args := os.Args[1:]
	if name, ok := links[filepath.Base(os.Args[0])]; ok {
		args = append([]string{name}, args...)
	}
	os.Exit(run(args, os.Stdout, os.Stderr))
}

// errUsage is wrong usage that has been reported.
var errUsage = errors.New("wrong usage")

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second signal ends what the first one cannot: a read from a terminal, a
	// write to a pipe that nobody reads.
	context.AfterFunc(ctx, stop)
	if len(args) == 0 {
		usage(stderr)
		return 2
	}
	switch args[0] {
	case "-h", "--help", "help":
		usage(stdout)
		return 0
	case "--version", "version":
		fmt.Fprintln(stdout, "packer", version)
		return 0
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, args[1:])
		switch {
		case err == nil || errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		case errors.Is(err, errDiffer):
			return 1
		case ctx.Err() != nil:
			fmt.Fprintln(stderr, "packer: interrupted: nothing is written")
			return 1
		}
		// One fault a line: there may be several.
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(stderr, "packer: %s\n", line)
		}
		return 1
	}
	fmt.Fprintf(stderr, "packer: unknown command %q\n", args[0])
	usage(stderr)
	return 2
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Usage: packer COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-13s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\npacker COMMAND --help tells more; packer --version tells the version.\n")
}
