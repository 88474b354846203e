//go:build unix

package codec

import (
	"os/exec"
	"syscall"
)

// killGroup makes the end of cmd's context kill the children of the program too.
func killGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
