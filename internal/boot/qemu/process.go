// Package qemu runs QEMU as a child process that does not outlive its parent, and restores
// the terminal.
package qemu

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// grace is the time that QEMU has to end after SIGTERM before it is killed. Its children
// that outlive it have the same time to close its output.
const grace = time.Second

// Options connect QEMU to its surroundings.
type Options struct {
	// Interactive keeps QEMU in the foreground process group of the terminal Stdin, so
	// that it can read the terminal. Otherwise QEMU has a process group of its own.
	Interactive bool

	// TempDir is the directory in which QEMU stores what a guest writes to its disks;
	// empty for QEMU's default.
	TempDir string

	// Files are inherited: the first one is file descriptor 3.
	Files []*os.File

	Stdin          *os.File  // nil for no input
	Stdout, Stderr io.Writer // one goroutine writes to each
}

// A Process is a QEMU that has started.
type Process struct {
	cmd         *exec.Cmd
	interactive bool
	grace       time.Duration
	done        chan struct{}
}

// Start runs the command argv.
func Start(argv []string, o Options) (*Process, error) {
	p := &Process{
		cmd:         exec.Command(argv[0], argv[1:]...),
		interactive: o.Interactive,
		grace:       grace,
		done:        make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = o.Stdout, o.Stderr
	p.cmd.ExtraFiles = o.Files
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
		// The parent-death signal is sent when the thread that forked ends, and not
		// only when the process does: keep the thread until QEMU has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.cmd.Wait()              // the result is in p.cmd.ProcessState
		p.signal(syscall.SIGKILL) // the rest of its process group
		restore()
		close(p.done)
	}()
	return p, <-started
}

// Done is closed when QEMU has ended, its output has been written, and the terminal is
// restored.
func (p *Process) Done() <-chan struct{} { return p.done }

// State returns how QEMU ended. Call it only after Done.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Stop ends QEMU, with SIGTERM if that works, and returns when it has ended. It does
// nothing if QEMU has ended already.
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
	case <-time.After(p.grace):
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}
