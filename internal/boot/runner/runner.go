// Package runner boots a configuration in QEMU, and reports whether the boot passed.
package runner

import (
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemu"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Exit codes.
const (
	ExitSuccess = 0 // the boot passed
	ExitFailure = 1 // the boot failed
	ExitUsage   = 2 // wrong usage, or a configuration that cannot be read
)

const (
	// quiet is the time without output after which an unfinished line may be a
	// prompt.
	quiet = 200 * time.Millisecond

	// aftermath is the time that the kernel has to print its trace after a failure.
	aftermath = time.Second
)

// A Session connects a boot to the process that it runs in.
type Session struct {
	// TimeLimit is the longest time that QEMU may run; zero for no limit.
	TimeLimit time.Duration

	// OutputsDir is the directory for the console's log, QEMU's command line and the
	// result; empty for none.
	OutputsDir string

	// XMLFile is the file in which Bazel looks for test cases; empty for none.
	XMLFile string

	// TempDir is the directory for temporary files; empty for the system's.
	TempDir string

	// Term is the type of the terminal, for an interactive guest; empty if it is
	// unknown.
	Term string

	// GDB is the TCP port on which QEMU waits for a debugger; zero for none.
	GDB int

	// Rlocation finds a runfile.
	Rlocation func(path string) (string, error)

	// ProbeKVM returns nil if KVM can run guests of an architecture, in Go's name.
	ProbeKVM func(goarch string) error

	// Observe, if it is not nil, gets the lines of the console until it returns true:
	// see console.Rules.
	Observe func(line string) (done bool)

	// Signals ends the boot when it receives a signal.
	Signals <-chan os.Signal

	Stdin          *os.File  // the guest's, if interactive
	Stdout, Stderr io.Writer // the console, if interactive; the report
}

// Run boots c, writes a report to s.Stderr, and returns ExitSuccess or ExitFailure. When it
// returns, QEMU has ended and the temporary files are gone.
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

	arch           arch.Arch     // the guest's
	temporaryFiles []string      // to remove when QEMU has ended
	accelerator    string        // "kvm" or "tcg"; empty if QEMU was not started
	accelReason    string        // why it is that one
	started        time.Time     // when QEMU started
	elapsed        time.Duration // until the result was known
	screen         *screen       // nil if QEMU was not started
	qemuErrors     []string      // the last lines of QEMU's standard error, before it was stopped
}

func (b *boot) run() verdict {
	argv, err := b.command()
	defer b.removeTemporary()
	if err != nil {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	log, err := openOutputs(b.session.OutputsDir, argv)
	if err != nil {
		return failed(failure.QEMUNotStarted, "cannot write the test's outputs: %v", err)
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
	b.qemuErrors = stderr.tail()
	return v
}

// neverMatch is a pattern that nothing matches.
var neverMatch = regexp.MustCompile(`[^\x00-\x{10FFFF}]`)

// rules returns the rules for watching the console.
func (b *boot) rules() console.Rules {
	c := b.config
	r := console.Rules{
		Criteria: c.Criteria,
		Firmware: b.arch.Firmware,
		Observe:  b.session.Observe,
		Clock:    func() time.Duration { return time.Since(b.started) },
	}
	if c.Firmware != "" {
		r.Firmware = neverMatch // its last lines are unknown
	}
	if c.Interactive {
		// The user decides whether to continue, if the guest still can.
		r.AllowFailures = slices.Clone(r.AllowFailures)
		for _, class := range failure.Builtin() {
			if class != failure.Panic && class != failure.InitFailed {
				r.AllowFailures = append(r.AllowFailures, class)
			}
		}
	}
	return r
}

// watch returns the verdict as soon as there is one. QEMU may still run.
func (b *boot) watch(p *qemu.Process, keys *keyboard, stderr *screen) verdict {
	var limit, afterFailure <-chan time.Time // nil: never
	if b.session.TimeLimit > 0 {
		limit = time.After(b.session.TimeLimit)
	}
	prompt := time.NewTimer(quiet)
	defer prompt.Stop()
	var kernelFailure *verdict // reported by the kernel

	for {
		var end *verdict // of the boot, unless the console has a better one
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
		case <-afterFailure:
			end = kernelFailure
		}
		keys.send(b.screen.takeInput())

		switch f := b.screen.finding(); {
		case f.Outcome == console.Undecided || kernelFailure != nil:
		case f.Outcome == console.Failed && f.Class != failure.Forbidden && f.Class != failure.ExitCode:
			v := b.judge(f, time.Since(b.started))
			kernelFailure = &v
			afterFailure = time.After(aftermath)
		default:
			return b.judge(f, time.Since(b.started))
		}
		switch {
		case end != nil && kernelFailure != nil:
			return *kernelFailure
		case end != nil:
			return *end
		}
	}
}
