// Command remote tests the rules with remote execution and remote caches that are independent of
// Bazel: the execution service of justbuild, in a root file system of another Debian release, and
// nginx as an HTTP cache. It runs in the root of the workspace, and starts and stops the servers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

const help = `Usage: e2e/remote/run [OPTION...] [PART...]

Runs parts in the order of this list. e2e/remote/run without PART runs those of CI: options,
execution, cache, failures and matrix.

Parts:
`

// A part is a test.
type part struct {
	name, summary string
	run           func(*session) error
}

// parts are all tests, in the order in which they run.
var parts = []part{
	{"options", "build with the options of docs/how-to/remote.md", options},
	{"execution", "run packing actions on a worker of another Debian release", execution},
	{"cache", "build a second workspace from a cache, and boot an image that only the cache has", cached},
	{"failures", "build with a cache that fails and corrupts, and with a worker that dies", failures},
	{"matrix", "build the same bytes in different environments", matrix},
	{"cost", "print what a change in a large image costs", cost},
}

// A session is shared by the parts.
type session struct {
	ctx    context.Context
	here   string // the workspace
	temp   string // the directory for temporary files of a part
	worker string // the root file system of the worker
	size   int    // of the image that cost changes, in MB

	started time.Time
	packers map[string][]byte
}

func init() {
	// The engines must end with this process. The kernel ends them with the thread that started
	// them, so that must be the main one.
	runtime.LockOSThread()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "remote:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	flag.Usage = func() {
		out := flag.CommandLine.Output()
		fmt.Fprint(out, help)
		for _, p := range parts {
			fmt.Fprintf(out, "  %-10s %s\n", p.name, p.summary)
		}
		fmt.Fprint(out, "\nOptions:\n")
		flag.PrintDefaults()
	}
	s := &session{packers: map[string][]byte{}}
	flag.StringVar(&s.worker, "worker", "", "run the execution service in the root file system `DIR`")
	flag.IntVar(&s.size, "size", 500, "size of the image of the part cost, in `MB`")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	for _, name := range flag.Args() {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			fmt.Fprintf(os.Stderr, "remote: unknown part %q; see --help\n", name)
			os.Exit(2)
		}
	}
	if s.here, err = os.Getwd(); err != nil {
		return err
	}
	var stop context.CancelFunc
	s.ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()

	for _, p := range parts {
		if slices.Contains(flag.Args(), p.name) {
			if err := s.runPart(p); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

// runPart runs a part with its own temporary directory.
func (s *session) runPart(p part) (err error) {
	s.started = time.Now()
	if s.temp, err = os.MkdirTemp("", "remote"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeAll(s.temp)) }()
	if err := p.run(s); err != nil {
		return err
	}
	s.report("%s: passed", p.name)
	return nil
}

// report prints a line with the seconds since the part began.
func (s *session) report(format string, args ...any) {
	fmt.Printf("remote: %s (%.0f s)\n", fmt.Sprintf(format, args...), time.Since(s.started).Seconds())
}

// removeAll removes a directory and the read-only directories that Bazel leaves in it.
func removeAll(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}
