//go:build !linux

package qemu

import "syscall"

func attributes(interactive bool) *syscall.SysProcAttr { return nil }

func (p *Process) signal(s syscall.Signal) { p.cmd.Process.Signal(s) }
