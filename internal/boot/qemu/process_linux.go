package qemu

import "syscall"

// attributes ties the child's life to the parent's, even if that is killed.
func attributes(interactive bool) *syscall.SysProcAttr {
	if interactive {
		// SIGTERM lets QEMU restore the terminal, with nobody left to do it.
		return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// signal sends s to QEMU: to all of its process group if it has its own, for
// the qemu of a toolchain may be a script around the real one.
func (p *Process) signal(s syscall.Signal) {
	if p.interactive {
		p.cmd.Process.Signal(s)
		return
	}
	syscall.Kill(-p.cmd.Process.Pid, s)
}
