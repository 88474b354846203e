package reaper

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

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
