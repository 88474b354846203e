// Command bench compares the packer with programs that do the same, and prints tables in Markdown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

const help = `Usage: bench [OPTION...]

Compares the packer with its peers: programs that do the same. All get the same
input in memory, and run in turns. It needs hyperfine, GNU time and the packer.
Peers that are not on PATH are left out, and listed.

Options:
`

// tables are all tables, in the order in which they are printed.
var tables = []struct {
	name  string
	print func(*bench) error
}{
	{"uncompressed", (*bench).uncompressed},
	{"compressed", (*bench).compressed},
	{"reading", (*bench).reading},
	{"growth", (*bench).growth},
	{"kernel", (*bench).kernel},
	{"modules", (*bench).modules},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), help)
		flag.PrintDefaults()
	}
	var names []string
	for _, table := range tables {
		names = append(names, table.name)
	}
	runs := flag.Int("runs", 5, "run each command `N` times after a first time; a command that takes over 30 s runs only once")
	dir := flag.String("directory", "", "pack `DIR` instead of 70 MB of this machine's programs")
	memory := flag.String("memory", "/dev/shm", "work in `DIR`, which must be in memory and have 8 GiB free")
	wanted := flag.String("tables", strings.Join(names, ","), "print these `TABLES`, separated by commas")
	var linux string
	flag.Func("linux", "compile the kernel source in the tarball `FILE`, for the table kernel", func(name string) (err error) {
		linux, err = absolute(name)
		return err
	})
	var packages []string
	flag.Func("modules", "choose among the kernel modules in the package `FILE`, for the table modules; may be repeated", func(name string) error {
		name, err := absolute(name)
		packages = append(packages, name)
		return err
	})
	fragments := "" // options
	flag.Func("fragment", "add the lines of `FILE` to the configuration of the kernel; may be repeated", func(name string) error {
		name, err := absolute(name)
		fragments += " --fragment " + name
		return err
	})
	at := map[string]string{}
	for _, program := range []string{"packer", "kernel", "guest_init", "gen_init_cpio", "gen_initramfs.sh", "hyperfine"} {
		flag.Func(program, "use `FILE` as this program", func(file string) error {
			at[program] = file
			return nil
		})
	}
	flag.Parse()
	if flag.NArg() > 0 || *runs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	for name := range strings.SplitSeq(*wanted, ",") {
		if !slices.Contains(names, name) {
			return fmt.Errorf("unknown table %q: want %s", name, strings.Join(names, ", "))
		}
	}
	if *dir != "" {
		if _, err := os.ReadDir(*dir); err != nil {
			return err
		}
		var err error
		if *dir, err = filepath.Abs(*dir); err != nil {
			return err
		}
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	b, err := newBench(ctx, *memory, at)
	if err != nil {
		return err
	}
	defer b.remove()
	b.runs, b.dir, b.linux, b.fragments, b.packages = *runs, *dir, linux, fragments, packages

	fmt.Printf("%d CPUs; median times of %d runs each, in turns\n", runtime.NumCPU(), b.runs)
	if len(b.missing) > 0 {
		fmt.Printf("\nLeft out, because they are not on PATH: %s\n", strings.Join(b.missing, ", "))
	}
	for _, table := range tables {
		if slices.Contains(strings.Split(*wanted, ","), table.name) {
			if err := table.print(b); err != nil {
				return err
			}
		}
	}
	return nil
}
