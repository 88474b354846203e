// Package reaper runs a program as a machine's first process has to: it forwards
// signals to the program, and takes leave of every process that ends, whoever's
// child it was.
package reaper

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// A Reaper is what only one of a process can be: the receiver of its signals,
// and the one who waits for its children.
type Reaper struct {
	signals chan os.Signal
}

// New takes over the signals of this process. Without that Go's runtime ends
// it when one comes that would end another process.
func New() *Reaper {
	r := &Reaper{signals: make(chan os.Signal, 64)}
	signal.Notify(r.signals)
	return r
}

// A Program is what can be run.
type Program struct {
	Argv []string // its absolute path first
	Env  []string

	// Foreground gives the controlling terminal on standard input to it.
	Foreground bool
}

// Run starts p in a process group of its own, and returns how it ended. Signals
// for this process go to p; orphans are reaped while it runs.
func (r *Reaper) Run(p Program) (Ending, error) {
	pid, err := syscall.ForkExec(p.Argv[0], p.Argv, &syscall.ProcAttr{
		Dir:   "/",
		Env:   p.Env,
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Foreground: p.Foreground, Ctty: 0},
	})
	if err != nil {
		return 0, startError(p.Argv[0], err)
	}
	stop := r.forward(pid)
	defer stop()
	for {
		var status syscall.WaitStatus
		switch ended, err := syscall.Wait4(-1, &status, 0, nil); {
		case err == syscall.EINTR:
		case err != nil:
			return 0, fmt.Errorf("cannot wait for %s: %v", p.Argv[0], err)
		case ended == pid:
			return Ending(status), nil
		}
	}
}

// startError says what is wrong with a program that could not be started.
func startError(name string, err error) error {
	// A file that is there and yet not found lacks its interpreter.
	if _, missing := os.Stat(name); errors.Is(err, syscall.ENOENT) && missing == nil {
		return fmt.Errorf("cannot run %s: its interpreter or loader is not in the image: link it statically, or put that in", name)
	}
	switch {
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("cannot run %s: it is not in the image", name)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot run %s: %v: is it a file with a mode such as 0755?", name, err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("cannot run %s: %v: is it for this architecture?", name, err)
	}
	return fmt.Errorf("cannot run %s: %v", name, err)
}

// forward hands signals on to a process until stop is called.
func (r *Reaper) forward(pid int) (stop func()) {
	done := make(chan struct{})
	var stopped sync.WaitGroup
	stopped.Go(func() {
		for {
			select {
			case <-done:
				return
			case s := <-r.signals:
				// Children's endings are this process's own affair, and Go's
				// runtime sends SIGURG to itself.
				if s != syscall.SIGCHLD && s != syscall.SIGURG {
					syscall.Kill(pid, s.(syscall.Signal))
				}
			}
		}
	})
	return func() {
		close(done)
		stopped.Wait()
	}
}

// EndOthers asks every other process to end, with SIGTERM, and ends those that
// have not when grace is over. It is for the machine's first process: for any
// other one it would be everybody's end.
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

// reapEnded takes leave of the children that have ended, and reports whether
// there are more.
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
