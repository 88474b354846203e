package reaper

import (
	"fmt"
	"syscall"
)

// An Ending is how a program ended.
type Ending syscall.WaitStatus

// String is "exited with 3", or "killed by SIGSEGV".
func (e Ending) String() string {
	status := syscall.WaitStatus(e)
	if status.Signaled() {
		return "killed by " + signalName(status.Signal())
	}
	return fmt.Sprintf("exited with %d", status.ExitStatus())
}

// signalNames are Linux's, by number: include/uapi/asm-generic/signal.h, which
// x86 agrees with.
var signalNames = [...]string{
	1: "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE",
	9: "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT",
	17: "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU",
	25: "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
}

func signalName(s syscall.Signal) string {
	if s > 0 && int(s) < len(signalNames) {
		return signalNames[s]
	}
	return fmt.Sprintf("signal %d", int(s))
}
