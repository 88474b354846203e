// Remote tests the rules against engines that are not Bazel: justbuild's execution
// service in a root of another Debian release, and nginx as an HTTP cache. It runs in
// the workspace's folder, starts and stops all that it needs, and ends with an error
// that says what is not as it should be.
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
	"syscall"
	"time"
)

const help = `Usage: e2e/remote/run [OPTION...] PART...

Parts:
`

// parts are what it does, in this order when several are asked for.
var parts = []struct {
	name, about string
	run         func(*session) error
}{
	{"execution", "packing actions run on a worker of another Debian release", execution},
	{"cache", "a second workspace takes all from a cache, and boots without the bytes", cached},
	{"faults", "a cache that errs and lies, a worker that dies", faults},
	{"matrix", "the same bytes whatever changes around the packer", matrix},
	{"cost", "prints what a change in a large image costs", cost},
}

// A session is what the parts share.
type session struct {
	ctx    context.Context
	here   string // the workspace
	temp   string // removed at the end
	worker string // the worker's root
	size   int    // of the image whose change is measured, in MB

	begun   time.Time
	packers map[string][]byte
}

func init() {
	// The engines are to end when this process does. The kernel takes the end of the thread
	// that started them for it: it has to be the main one.
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
		for _, part := range parts {
			fmt.Fprintf(out, "  %-10s %s\n", part.name, part.about)
		}
		fmt.Fprint(out, "\nOptions:\n")
		flag.PrintDefaults()
	}
	s := &session{packers: map[string][]byte{}}
	flag.StringVar(&s.worker, "worker", "", "run the execution service in this `ROOT`")
	flag.IntVar(&s.size, "size", 500, "cost: the image's size in `MB`")
	flag.Parse()
	wanted := map[string]bool{}
	for _, name := range flag.Args() {
		wanted[name] = true
	}
	if s.here, err = os.Getwd(); err != nil {
		return err
	}
	var stop context.CancelFunc
	s.ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()

	for _, part := range parts {
		if !wanted[part.name] {
			continue
		}
		delete(wanted, part.name)
		if err := s.runPart(part.name, part.run); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	for name := range wanted {
		return fmt.Errorf("there is no part %q: see --help", name)
	}
	return nil
}

// runPart runs a part in a temporary folder of its own.
func (s *session) runPart(name string, part func(*session) error) (err error) {
	s.begun = time.Now()
	if s.temp, err = os.MkdirTemp("", "remote"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeAll(s.temp)) }()
	if err := part(s); err != nil {
		return err
	}
	s.say("%s: passed", name)
	return nil
}

// say prints a line of the report, with the seconds since the part began.
func (s *session) say(format string, args ...any) {
	fmt.Printf("remote: %s (%.0f s)\n", fmt.Sprintf(format, args...), time.Since(s.begun).Seconds())
}

// removeAll removes a folder with what Bazel leaves in it, read-only folders.
func removeAll(folder string) error {
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(folder))
}
