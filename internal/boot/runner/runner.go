// Package runner boots a configuration in QEMU and judges the boot.
package runner

import (
	"io"
	"os"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/machine"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemu"
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

	// aftermath is how long a kernel that fails has to print its trace.
	aftermath = time.Second
)

// A Session is what a boot needs of the process it runs in.
type Session struct {
	// TimeLimit is how long QEMU may run; zero is for ever.
	TimeLimit time.Duration

	// OutputsDir is where the console's log, QEMU's command line and the
	// result are kept; empty for nowhere.
	OutputsDir string

	// XMLFile is where Bazel looks for the test's cases; empty for nowhere.
	XMLFile string

	// TempDir is where temporary files go; empty for the system's place.
	TempDir string

	// Term is the kind of terminal, for an interactive guest; empty when that
	// is not known.
	Term string

	// GDB is the TCP port on which QEMU waits for a debugger; zero for none.
	GDB int

	// Rlocation finds a runfile.
	Rlocation func(path string) (string, error)

	// ProbeKVM returns nil if KVM runs guests of an architecture, in Go's name.
	ProbeKVM func(goarch string) error

	// Observe is given the console's lines, until it returns that it has seen
	// all that it waits for; nil for nobody. See console.Rules.
	Observe func(line string) (done bool)

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
	if !v.passed() {
		return ExitFailure
	}
	return ExitSuccess
}

// A boot is one run of QEMU.
type boot struct {
	config  *config.Config
	session Session

	accelerator string        // "kvm" or "tcg", when that is known
	why         string        // it is that one
	started     time.Time     // when QEMU was
	elapsed     time.Duration // until the boot was decided
	screen      *screen       // nil before QEMU's command line is known
	complaint   []string      // the last lines of QEMU's standard error, before it was stopped
}

func (b *boot) run() verdict {
	argv, cleanup, err := b.command()
	defer cleanup()
	if err != nil {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	log, err := openOutputs(b.session.OutputsDir, argv)
	if err != nil {
		return failed(failure.QEMUNotStarted, "cannot keep the console: %v", err)
	}
	if log != nil {
		defer log.Close()
	}

	stderr := newScreen(console.NewWatcher(console.Rules{}), nil, nil)
	options := qemu.Options{Interactive: b.config.Interactive, TempDir: b.session.TempDir}
	watcher := console.NewWatcher(b.rules())
	if b.config.Interactive {
		b.screen = newScreen(watcher, log, b.session.Stdout)
		options.Stdin, options.Stderr = b.session.Stdin, b.session.Stderr
	} else {
		b.screen = newScreen(watcher, log, nil)
		options.Stderr = stderr
	}
	options.Stdout = b.screen
	keys, err := newKeyboard(len(b.config.Input))
	if err != nil {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	defer keys.close()
	if keys != nil {
		options.Stdin = keys.guest
	}

	b.started = time.Now()
	p, err := qemu.Start(argv, options)
	if err != nil {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	defer p.Stop()
	v := b.watch(p, keys, stderr)
	b.elapsed = time.Since(b.started)
	b.complaint = stderr.tail()
	return v
}

// rules are what the console is watched for.
func (b *boot) rules() console.Rules {
	c := b.config
	r := console.Rules{
		Expect:    c.Expect,
		Unordered: c.ExpectUnordered,
		ExitCode:  c.ExitCodePattern,
		Forbid:    c.Forbid,
		Allow:     c.Allow,
		Observe:   b.session.Observe,
		Clock:     func() time.Duration { return time.Since(b.started) },
	}
	for _, p := range c.Input {
		r.Dialogue = append(r.Dialogue, console.Prompt{Pattern: p.Expect, Answer: p.Send})
	}
	switch {
	case c.Firmware == "":
		r.Firmware = machine.Firmware(c.Arch)
	default:
		r.Firmware = neverMatch
	}
	if c.Interactive {
		// Who sits in front of the console decides whether to go on, if there is
		// anything to go on with.
		for _, class := range failure.Builtin() {
			if class != failure.Panic && class != failure.InitFailed {
				r.Allow = append(r.Allow, class)
			}
		}
	}
	return r
}

// watch returns the verdict as soon as there is one. QEMU may still be running.
func (b *boot) watch(p *qemu.Process, keys *keyboard, stderr *screen) verdict {
	var limit, after <-chan time.Time // nil: never
	if b.session.TimeLimit > 0 {
		limit = time.After(b.session.TimeLimit)
	}
	prompt := time.NewTimer(quiet)
	defer prompt.Stop()
	var bad *verdict // what the kernel said

	for {
		var end *verdict // of the boot, if the console does not say better
		select {
		case <-b.screen.changed:
			prompt.Reset(quiet)
		case <-prompt.C:
			b.screen.idle()
		case <-p.Done():
			b.screen.close()
			stderr.close()
			v := b.exited(p.State(), stderr.tail(), time.Since(b.started))
			end = &v
		case <-limit:
			v := b.timedOut()
			end = &v
		case s := <-b.session.Signals:
			v := b.signaled(s, time.Since(b.started))
			end = &v
		case <-after:
			end = bad
		}
		keys.send(b.screen.answers())

		switch f := b.screen.finding(); {
		case f.Outcome == console.Undecided || bad != nil:
		case f.Outcome == console.Failed && f.Class != failure.Forbidden && f.Class != failure.ExitCode:
			v := b.found(f, time.Since(b.started))
			bad = &v
			after = time.After(aftermath)
		default:
			return b.found(f, time.Since(b.started))
		}
		switch {
		case end != nil && bad != nil:
			return *bad
		case end != nil:
			return *end
		}
	}
}
