// Command agent runs a test in a guest, and sends the host how it ended and the files that it
// left, over the console.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/guest/frame"
	"github.com/rules-initramfs/rules_initramfs/internal/guest/outputs"
	"github.com/rules-initramfs/rules_initramfs/internal/guest/run"
)

// What a shell exits with when it cannot start a program, and what it adds to a signal's number.
const (
	exitNotStarted = 127
	exitSignal     = 128
)

func main() {
	if err := serve(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

// serve runs the test between frames on the console.
func serve(console io.Writer) error {
	w := frame.NewWriter(console)
	if err := w.Write(frame.Begin, nil); err != nil {
		return err
	}
	ending := start(console)
	if err := quiet(); err != nil && ending.Error == "" {
		ending.Error = fmt.Sprintf("the kernel's messages stay on the console: %v", err)
	}

	var archive bytes.Buffer
	left, err := outputs.Pack(&archive, run.Outputs)
	switch {
	case err != nil && ending.Error == "":
		ending.Error = fmt.Sprintf("the test's outputs: %v", err)
	case len(left) > 0 && ending.Error == "":
		ending.Error = fmt.Sprintf("outputs that are neither files nor directories stay behind: %s", strings.Join(left, ", "))
	}
	said, err := json.Marshal(ending)
	if err != nil {
		return err
	}
	return errors.Join(
		w.Write(frame.Exit, said),
		w.Write(frame.Data, archive.Bytes()),
		w.Write(frame.End, nil),
		drain(),
	)
}

// start runs the test to its end.
func start(console io.Writer) frame.Ending {
	notStarted := func(err error) frame.Ending {
		return frame.Ending{Code: exitNotStarted, Error: fmt.Sprintf("the test could not be started: %v", err)}
	}
	r, err := run.Read(run.File)
	if err != nil {
		return notStarted(err)
	}
	// A test without runfiles has no folder for them.
	for _, dir := range []string{filepath.Join(run.Outputs, run.Undeclared), r.Dir, filepath.Dir(r.Runfile)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return notStarted(err)
		}
	}
	if err := os.Symlink(run.Program, r.Runfile); err != nil && !errors.Is(err, os.ErrExist) {
		return notStarted(err)
	}
	cmd := exec.Command(run.Program, r.Args...)
	cmd.Env = append([]string{}, r.Env...)
	cmd.Dir = r.Dir
	cmd.Stdout, cmd.Stderr = console, console
	err = cmd.Run()
	var exited *exec.ExitError
	switch {
	case err == nil:
		return frame.Ending{}
	case !errors.As(err, &exited):
		return notStarted(err)
	}
	if status, ok := exited.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return frame.Ending{Code: exitSignal + int(status.Signal())}
	}
	return frame.Ending{Code: exited.ExitCode()}
}

// quiet keeps all but the kernel's last words off the console: they could come in the middle of
// a frame.
func quiet() error {
	const setLevel = 8 // SYSLOG_ACTION_CONSOLE_LEVEL; the level is the length
	_, err := syscall.Klogctl(setLevel, make([]byte, 1))
	return err
}

// drain waits until the console has sent all.
func drain() error {
	const tcsbrk = 0x5409 // with 1, tcdrain
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, os.Stdout.Fd(), tcsbrk, 1); errno != 0 && errno != syscall.ENOTTY {
		return errno
	}
	return nil
}
