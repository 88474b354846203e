// Package reaper runs a program the way a machine's first process must: it forwards
// signals to the program, and reaps every process that ends, no matter whose child
// it was.
package reaper

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Reaper receives the signals of its process and waits for its children. A
// process can have only one.
type Reaper struct {
	signals chan os.Signal
}

// New takes over the signals of this process. Otherwise Go's runtime would end the
// process at a signal such as SIGTERM.
func New() *Reaper {
	r := &Reaper{signals: make(chan os.Signal, 64)}
	signal.Notify(r.signals)
	return r
}

// A Program is a command to run.
type Program struct {
	Argv []string // the program's absolute path and its arguments
	Env  []string

	// Foreground gives the program the controlling terminal, which is standard input.
	Foreground bool
}

// Run starts p in a process group of its own, waits, and returns how it ended.
// Meanwhile it sends p the signals for this process, and reaps orphans.
func (r *Reaper) Run(p Program) (Exit, error) {
	pid, err := syscall.ForkExec(p.Argv[0], p.Argv, &syscall.ProcAttr{
		Dir:   "/",
		Env:   p.Env,
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Foreground: p.Foreground, Ctty: 0},
	})
	if err != nil {
		return 0, startError(p.Argv[0], err)
	}
	stop := r.forwardSignals(pid)
	defer stop()
	for {
		var status syscall.WaitStatus
		switch reaped, err := syscall.Wait4(-1, &status, 0, nil); {
		case err == syscall.EINTR:
		case err != nil:
			return 0, fmt.Errorf("cannot wait for %s: %w", p.Argv[0], err)
		case reaped == pid:
			return Exit(status), nil
		}
	}
}

// startError explains why a program could not be started.
func startError(name string, err error) error {
	hint := map[error]string{
		syscall.ENOENT:  ": it is not in the image",
		syscall.EACCES:  ": is it a file with a mode such as 0755?",
		syscall.ENOEXEC: ": is it for this architecture?",
	}[err]
	// If the file exists but is "not found", its interpreter is missing.
	if _, statErr := os.Stat(name); err == syscall.ENOENT && statErr == nil {
		hint = ": the file is there, but its interpreter or loader is not: link the program statically, or add the interpreter"
	}
	return fmt.Errorf("cannot run %s: %w%s", name, err, hint)
}

// forwardSignals sends the signals for this process to another until stop is called.
func (r *Reaper) forwardSignals(pid int) (stop func()) {
	done := make(chan struct{})
	var forwarder sync.WaitGroup
	forwarder.Go(func() {
		for {
			select {
			case <-done:
				return
			case s := <-r.signals:
				// SIGCHLD reports a child of this process, and Go's runtime sends
				// SIGURG to itself.
				if s != syscall.SIGCHLD && s != syscall.SIGURG {
					syscall.Kill(pid, s.(syscall.Signal))
				}
			}
		}
	})
	return func() {
		close(done)
		forwarder.Wait()
	}
}

// EndOthers ends all other processes: it sends SIGTERM, waits for up to the grace
// period, and sends SIGKILL. It does nothing unless this is the machine's first
// process, because any other process would take down what it does not own.
func (r *Reaper) EndOthers(grace time.Duration) {
	if os.Getpid() != 1 || !reapEnded() {
		return
	}
	syscall.Kill(-1, syscall.SIGTERM)
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if !reapEnded() {
			return
		}
	}
	syscall.Kill(-1, syscall.SIGKILL)
	for reapEnded() {
		time.Sleep(10 * time.Millisecond)
	}
}

// reapEnded reaps the children that have ended, and reports whether others remain.
func reapEnded() bool {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid == 0 {
			return err == nil
		}
	}
}

// An Exit is how a program ended.
type Exit syscall.WaitStatus

// String returns text such as "exited with 3" or "killed by SIGSEGV".
func (e Exit) String() string {
	status := syscall.WaitStatus(e)
	if status.Signaled() {
		return "killed by " + signalName(status.Signal())
	}
	return fmt.Sprintf("exited with %d", status.ExitStatus())
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}
