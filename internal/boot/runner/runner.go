// Package runner boots a configuration in QEMU, and reports whether the boot passed.
package runner

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/bazelbuild/rules_go/go/runfiles"

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
	TimeLimit  time.Duration                     // the longest time that QEMU may run; zero for no limit
	OutputsDir string                            // for the log, QEMU's command line and the result; empty for none
	XMLFile    string                            // in which Bazel looks for test cases; empty for none
	TempDir    string                            // for temporary files; empty for the system's
	Term       string                            // the type of the terminal; empty if it is unknown
	GDB        int                               // the TCP port on which QEMU waits for a debugger; zero for none
	Rlocation  func(path string) (string, error) // finds a runfile
	ProbeKVM   func(goarch string) error         // returns nil if KVM can run guests of an architecture, in Go's name

	// Observe, if it is not nil, gets the lines of the console until it returns true:
	// see console.Rules.
	Observe func(line string) (done bool)

	Signals <-chan os.Signal // a signal ends the boot

	limit <-chan time.Time // tests say when the time limit is reached; nil for TimeLimit

	Stdin          *os.File  // the guest's, if interactive
	Stdout, Stderr io.Writer // the console, if interactive; the report
}

// NewSession returns the session of a boot in this process, without a time limit. Variables
// that Bazel sets say where the outputs go.
func NewSession() Session {
	signals := make(chan os.Signal, 1)
	// SIGPIPE too: when nobody reads the console any more, QEMU must end, and the temporary
	// files must be removed.
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGTERM)
	return Session{
		OutputsDir: os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"),
		XMLFile:    os.Getenv("XML_OUTPUT_FILE"),
		TempDir:    os.Getenv("TEST_TMPDIR"),
		Term:       os.Getenv("TERM"),
		Rlocation:  runfiles.Rlocation,
		ProbeKVM:   probeKVM,
		Signals:    signals,
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
	}
}

// Run boots c, writes a report to s.Stderr, and returns ExitSuccess or ExitFailure. When it
// returns, QEMU has ended and the temporary files are gone.
func Run(c *config.Config, s Session) int {
	c, err := withMeasurements(c, s)
	b := &boot{config: c, session: s}
	var v verdict
	if err != nil {
		v = failed(failure.QEMUNotStarted, "measurements: %v", err)
	} else {
		v = b.run()
	}
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
	tpmDir         string        // the state of the TPM; empty for none
	swtpmProgram   string        // emulates it
	tpm            *tpm          // runs it
	accelerator    string        // "kvm" or "tcg"; empty if QEMU was not started
	accelReason    string        // why it is that one
	started        time.Time     // when QEMU started
	elapsed        time.Duration // until the result was known
	screen         *screen       // nil if QEMU was not started
	qemuErrors     []string      // the last lines of QEMU's standard error, before it was stopped
}

func (b *boot) run() verdict {
	argv, err := b.command(func(*boot) string { return fmt.Sprintf("fd=%d", inherited) })
	defer b.removeTemporary()
	if err != nil {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	log, err := openOutputs(b.session.OutputsDir, argv)
	if err != nil {
		return failed(failure.QEMUNotStarted, "cannot write the test's outputs: %v", err)
	}
	b.screen = newScreen(console.NewWatcher(b.rules()), log)
	defer b.screen.closeLog()
	stderr := newScreen(console.NewWatcher(console.Rules{}), nil)
	options := qemu.Options{Interactive: b.config.Interactive, TempDir: b.session.TempDir, Stdout: b.screen, Stderr: stderr}
	if b.config.Interactive {
		b.screen.terminal = b.session.Stdout
		options.Stdin, options.Stderr = b.session.Stdin, b.session.Stderr
	}
	keys, err := newKeyboard(len(b.config.Input))
	if err != nil {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	defer keys.close()
	if keys != nil {
		options.Stdin = keys.guest
	}

	if b.tpm, err = b.startTPM(); err != nil {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	defer b.tpm.stop()
	options.Files = b.tpm.files()

	b.started = time.Now()
	p, err := qemu.Start(argv, options)
	b.tpm.connected()
	if err != nil {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	defer p.Stop()
	v := b.watch(p, keys, stderr)
	b.elapsed = time.Since(b.started)
	stderr.Lock()
	b.qemuErrors = stderr.Tail()
	stderr.Unlock()
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
		Payload:  c.Firmware != "",
		Observe:  b.session.Observe,
		Clock:    func() time.Duration { return time.Since(b.started) },
	}
	if c.BIOS != "" {
		r.Firmware = neverMatch // its last lines are unknown
	}
	if c.Interactive {
		// The user decides whether to continue, if the guest still can.
		r.AllowFailures = slices.Clone(r.AllowFailures)
		if !c.ExpectRefusal {
			r.AllowFailures = append(r.AllowFailures, failure.FirmwareRefused)
		}
		r.FailOn = nil
		for _, class := range failure.WithReport(failure.FailsBoot) {
			if class != failure.Panic && class != failure.InitFailed {
				r.AllowFailures = append(r.AllowFailures, class)
			}
		}
	}
	return r
}

// immediate are the failures after which the console shows nothing that explains them.
var immediate = []failure.Class{failure.Forbidden, failure.ExitCode, failure.FirmwareRefused, failure.NotRefused}

// watch returns the verdict as soon as there is one. QEMU may still run.
func (b *boot) watch(p *qemu.Process, keys *keyboard, stderr *screen) verdict {
	var afterFailure <-chan time.Time // nil: never
	limit := b.session.limit
	if limit == nil && b.session.TimeLimit > 0 {
		limit = time.After(b.session.TimeLimit)
	}
	prompt := time.NewTimer(quiet)
	defer prompt.Stop()
	var kernelFailure verdict // reported by the kernel, if afterFailure is not nil
	tpmDone := b.tpm.done()

	b.screen.Lock() // except while waiting
	defer b.screen.Unlock()
	for {
		var end verdict // of the boot if it has ended, unless the console has a better one
		ended := true
		b.screen.Unlock()
		select {
		case <-b.screen.changed:
			b.screen.Lock()
			prompt.Reset(quiet)
			ended = false
		case <-prompt.C:
			b.screen.Lock()
			b.screen.Idle()
			ended = false
		case <-p.Done():
			b.screen.Lock()
			b.screen.Close()
			stderr.Close()
			end = b.exited(p.State(), stderr.Tail(), time.Since(b.started))
		case <-tpmDone:
			b.screen.Lock()
			tpmDone = nil
			if err := b.tpm.err(); err != nil {
				end = b.lostTPM(err, time.Since(b.started))
			} else {
				ended = false // it ends with QEMU
			}
		case <-limit:
			b.screen.Lock()
			end = b.timedOut()
		case s := <-b.session.Signals:
			b.screen.Lock()
			end = b.signaled(s, time.Since(b.started))
		case <-afterFailure:
			b.screen.Lock()
		}
		keys.send(b.screen.TakeInput())

		switch f := b.screen.Finding(); {
		case f.Outcome == console.Undecided || afterFailure != nil:
		case f.Outcome == console.Failed && !slices.Contains(immediate, f.Class):
			kernelFailure = b.judge(f, time.Since(b.started))
			afterFailure = time.After(aftermath)
		default:
			return b.judge(f, time.Since(b.started))
		}
		switch {
		case ended && afterFailure != nil:
			return kernelFailure
		case ended:
			return end
		}
	}
}
