// Package qemu runs QEMU as a child process that does not outlive its parent
// and leaves the terminal as it was.
package qemu

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// grace is how long QEMU has to end after SIGTERM, and whatever it left behind
// to close its output, before they are killed.
const grace = time.Second

// Options says what a process is connected to.
type Options struct {
	// Interactive leaves QEMU in the foreground of the terminal Stdin, which it
	// could not read otherwise. If not set it has a process group of its own.
	Interactive bool

	// TempDir is where QEMU keeps what a guest writes to its disks; empty for
	// QEMU's own choice.
	TempDir string

	Stdin          *os.File  // nil for an empty one
	Stdout, Stderr io.Writer // written by one goroutine each
}

// A Process is a QEMU that was started.
type Process struct {
	cmd         *exec.Cmd
	interactive bool
	done        chan struct{}
}

// Start starts the command argv.
func Start(argv []string, o Options) (*Process, error) {
	p := &Process{
		cmd:         exec.Command(argv[0], argv[1:]...),
		interactive: o.Interactive,
		done:        make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = o.Stdout, o.Stderr
	p.cmd.WaitDelay = grace
	p.cmd.SysProcAttr = attributes(o.Interactive)
	if o.TempDir != "" {
		p.cmd.Env = append(os.Environ(), "TMPDIR="+o.TempDir)
	}
	restore := func() {}
	if o.Stdin != nil {
		p.cmd.Stdin = o.Stdin
	}
	if o.Interactive {
		restore = saveTerminal(o.Stdin)
	}

	started := make(chan error)
	go func() {
		// The parent-death signal is sent when the thread that forked ends,
		// not the process: keep it until QEMU has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.cmd.Wait()              // the state is in p.cmd.ProcessState
		p.signal(syscall.SIGKILL) // what is left of its process group
		restore()
		close(p.done)
	}()
	return p, <-started
}

// Done is closed when QEMU has ended, all it wrote has been passed on, and the
// terminal is as it was.
func (p *Process) Done() <-chan struct{} { return p.done }

// State returns how QEMU ended. It is to be called after Done.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Stop ends QEMU, by SIGTERM if it listens, and returns when it is gone. It
// does nothing if QEMU has ended already.
func (p *Process) Stop() {
	select {
	case <-p.done:
		return
	default:
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return
	case <-time.After(grace):
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}
