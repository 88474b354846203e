package qemu

import "syscall"

// attributes makes the kernel end the child when its parent ends, even if that is killed.
func attributes(interactive bool) *syscall.SysProcAttr {
	if interactive {
		// SIGTERM lets QEMU restore the terminal: its parent cannot do it any more.
		return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// signal sends s to QEMU. If QEMU has a process group of its own, all of the group gets
// the signal, because a toolchain's QEMU may be a script that runs the real one.
func (p *Process) signal(s syscall.Signal) {
	if p.interactive {
		p.cmd.Process.Signal(s)
		return
	}
	syscall.Kill(-p.cmd.Process.Pid, s)
}
