// Package runner boots a configuration in QEMU and judges the boot.
package runner

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/tools/boot/config"
	"github.com/rules-initramfs/rules_initramfs/tools/boot/console"
	"github.com/rules-initramfs/rules_initramfs/tools/boot/machine"
	"github.com/rules-initramfs/rules_initramfs/tools/boot/qemu"
)

// Exit codes.
const (
	ExitSuccess = 0 // the boot went as expected
	ExitFailure = 1 // it did not
	ExitUsage   = 2 // wrong usage, or a configuration that cannot be read
)

const (
	// quiet is how long the console shows nothing before its unfinished line
	// is taken for a prompt.
	quiet = 200 * time.Millisecond

	// aftermath is how long a kernel that panicked has to print its trace.
	aftermath = time.Second
)

// A Session is what a boot needs of the process it runs in.
type Session struct {
	// TimeLimit is how long QEMU may run; zero is for ever.
	TimeLimit time.Duration

	// OutputsDir is where the console's log and QEMU's command line are kept;
	// empty for nowhere.
	OutputsDir string

	// TempDir is where temporary files go; empty for the system's place.
	TempDir string

	// Rlocation finds a runfile.
	Rlocation func(path string) (string, error)

	// Signals ends the boot when it gives one.
	Signals <-chan os.Signal

	Stdin          *os.File  // the guest's, when interactive
	Stdout, Stderr io.Writer // the console when interactive; the report
}

// Run boots c, writes a report to s.Stderr, and returns ExitSuccess or
// ExitFailure. When it returns QEMU is gone and so are the temporary files.
func Run(c *config.Config, s Session) int {
	b := &boot{config: c, session: s}
	v := b.run()
	b.report(v)
	if !v.ok {
		return ExitFailure
	}
	return ExitSuccess
}

// A boot is one run of QEMU.
type boot struct {
	config  *config.Config
	session Session

	screen    *screen  // nil before QEMU's command line is known
	complaint []string // the last lines of QEMU's standard error, before it was stopped
}

func (b *boot) run() verdict {
	argv, cleanup, err := b.command()
	defer cleanup()
	if err != nil {
		return failed("cannot start QEMU: %v", err)
	}
	log, err := openOutputs(b.session.OutputsDir, argv)
	if err != nil {
		return failed("cannot keep the console: %v", err)
	}
	if log != nil {
		defer log.Close()
	}

	interactive := b.config.Interactive
	stderr := newScreen(console.NewWatcher(nil, nil), nil, nil)
	options := qemu.Options{Interactive: interactive, Stdin: b.session.Stdin}
	watcher := console.NewWatcher(b.config.Expect, b.config.Forbid)
	if interactive {
		b.screen = newScreen(watcher, log, b.session.Stdout)
		options.Stderr = b.session.Stderr
	} else {
		b.screen = newScreen(watcher, log, nil)
		options.Stderr = stderr
	}
	options.Stdout = b.screen

	p, err := qemu.Start(argv, options)
	if err != nil {
		return failed("cannot start QEMU: %v", err)
	}
	defer p.Stop()
	v := b.watch(p)
	b.complaint = stderr.tail()
	return v
}

// command returns QEMU's command line, and what removes the temporary files in
// it: also with an error.
func (b *boot) command() (argv []string, cleanup func(), err error) {
	cleanup = func() {}
	c := b.config
	emulator := c.QEMU
	if strings.Contains(emulator, "/") {
		if emulator, err = b.locate(emulator); err != nil {
			return nil, cleanup, err
		}
	}
	kernel, err := b.locate(c.Kernel)
	if err != nil {
		return nil, cleanup, err
	}
	archives := make([]string, len(c.Initramfs))
	for i, a := range c.Initramfs {
		if archives[i], err = b.locate(a); err != nil {
			return nil, cleanup, err
		}
	}
	var initramfs string
	switch len(archives) {
	case 0:
	case 1:
		initramfs = archives[0]
	default:
		if initramfs, err = joinInitramfs(b.session.TempDir, archives); err != nil {
			return nil, cleanup, err
		}
		cleanup = func() { os.Remove(initramfs) }
	}
	args, err := machine.Arguments(c.Arch, machine.Guest{
		Kernel:      kernel,
		Initramfs:   initramfs,
		Append:      c.Append,
		MemoryMiB:   c.MemoryMiB,
		CPUs:        c.CPUs,
		Interactive: c.Interactive,
	})
	return append([]string{emulator}, args...), cleanup, err
}

// locate returns the file of a runfiles path; an absolute one is itself.
func (b *boot) locate(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	return b.session.Rlocation(path)
}

// watch returns the verdict as soon as there is one. QEMU may still be running.
func (b *boot) watch(p *qemu.Process) verdict {
	var limit, after <-chan time.Time // nil: never
	if b.session.TimeLimit > 0 {
		limit = time.After(b.session.TimeLimit)
	}
	prompt := time.NewTimer(quiet)
	defer prompt.Stop()
	var panicked *verdict

	for {
		var end *verdict // of the boot, if the console does not say better
		select {
		case <-b.screen.changed:
			prompt.Reset(quiet)
		case <-prompt.C:
			b.screen.idle()
		case <-p.Done():
			b.screen.close()
			v := b.exited(p.State(), b.screen.seen(), p.Elapsed())
			end = &v
		case <-limit:
			v := b.timedOut(b.screen.seen())
			end = &v
		case s := <-b.session.Signals:
			v := b.signaled(s, b.screen.seen(), p.Elapsed())
			end = &v
		case <-after:
			end = panicked
		}

		switch f := b.screen.finding(); {
		case f.Outcome == console.Undecided:
		case f.Outcome == console.Panicked && panicked == nil:
			v := b.found(f, p.Elapsed())
			panicked = &v
			after = time.After(aftermath)
		case f.Outcome != console.Panicked:
			return b.found(f, p.Elapsed())
		}
		switch {
		case end != nil && panicked != nil:
			return *panicked
		case end != nil:
			return *end
		}
	}
}

// report says how the boot went; if not well, what there is to find out why.
func (b *boot) report(v verdict) {
	w := b.session.Stderr
	say := func(format string, args ...any) {
		fmt.Fprintf(w, "boot: %s: %s\n", b.config.Label, fmt.Sprintf(format, args...))
	}
	say("%s", v.sentence)
	if b.screen == nil {
		return
	}
	if !v.ok {
		// On the terminal the console has been seen already.
		if tail := b.screen.tail(); len(tail) > 0 && !b.config.Interactive {
			fmt.Fprintf(w, "--- console, last %d lines\n%s\n", len(tail), strings.Join(tail, "\n"))
		}
		if len(b.complaint) > 0 {
			fmt.Fprintf(w, "--- QEMU's standard error\n%s\n", strings.Join(b.complaint, "\n"))
		}
		if b.screen.log != nil {
			// Not its path, which is in a sandbox that ends with the test.
			fmt.Fprintf(w, "--- whole console: %s in test.outputs, beside test.log\n", consoleLog)
		}
	}
	if b.screen.logErr != nil {
		say("the console's log is incomplete: %v", b.screen.logErr)
	}
}
