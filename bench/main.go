// Command bench times the packer beside the programs that people use in its
// place, and prints tables in Markdown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

const help = `Usage: bench [OPTION...]

Times the packer beside its peers: the same input, in memory, warm, in turns in
one run. It needs hyperfine, GNU time and the packer; peers that are not on PATH
are left out, and named.

Options:
`

// tables are what it prints, in this order.
var tables = []struct {
	name  string
	print func(*bench) error
}{
	{"uncompressed", (*bench).uncompressed},
	{"compressed", (*bench).compressed},
	{"reading", (*bench).reading},
	{"growth", (*bench).growth},
	{"kernel", (*bench).kernel},
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
	runs := flag.Int("runs", 5, "run each command `N` times after the first; one that takes over 30 s runs once")
	folder := flag.String("folder", "", "pack this `FOLDER` instead of 70 MB of this machine's programs")
	memory := flag.String("memory", "/dev/shm", "work in this `FOLDER`, which is in memory and has 8 GiB left")
	wanted := flag.String("tables", strings.Join(names, ","), "print these `TABLES`")
	linux := flag.String("linux", "", "compile the kernel whose source is in this tarball, `FILE`; without it there is no table of kernels")
	var fragments []string
	flag.Func("fragment", "a `FILE` of lines for its configuration; may be given more than once", func(name string) error {
		err := absolute(&name)
		fragments = append(fragments, name)
		return err
	})
	at := map[string]string{}
	for _, program := range []string{"packer", "kernel", "gen_init_cpio", "gen_initramfs.sh", "hyperfine"} {
		flag.Func(program, "take this program from `FILE` instead of PATH", func(file string) error {
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
			return fmt.Errorf("no table %q: there are %s", name, strings.Join(names, ", "))
		}
	}
	if *folder != "" {
		if _, err := os.ReadDir(*folder); err != nil {
			return err
		}
	}

	if err := absolute(linux); err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	b, err := newBench(ctx, *memory, *folder, at)
	if err != nil {
		return err
	}
	defer b.remove()
	b.runs, b.linux, b.fragments = *runs, *linux, fragments

	fmt.Printf("%d processors, %d runs each, in turns; median times\n", runtime.NumCPU(), b.runs)
	if len(b.missing) > 0 {
		fmt.Printf("\nNot here: %s\n", strings.Join(b.missing, ", "))
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
