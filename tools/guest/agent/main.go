// Agent runs a test in a guest. It sends the host the test's exit code and the files that
// the test wrote, over the console.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/guest"
)

// A shell exits with these codes if it cannot start a program, and if a signal kills one:
// then it adds the signal's number.
const (
	exitNotStarted = 127
	exitSignal     = 128
)

func main() {
	if err := runAndSend(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

// runAndSend runs the test, and sends frames around its output on the console.
func runAndSend(console io.Writer) error {
	w := guest.NewFrameWriter(console)
	if err := w.Write(guest.FrameBegin, nil); err != nil {
		return err
	}
	ending := runTest(console)
	if err := quietKernel(); err != nil && ending.Error == "" {
		ending.Error = fmt.Sprintf("cannot keep the kernel's messages off the console: %v", err)
	}
	return errors.Join(writeJSON(w, guest.FrameExit, ending), sendOutputs(w), drainConsole())
}

// sendOutputs sends the files that the test wrote. The guest's memory may be too small for
// all of them.
func sendOutputs(w *guest.FrameWriter) error {
	archive := bufio.NewWriterSize(dataWriter{w}, guest.MaxPayload)
	omitted, err := guest.Pack(archive, guest.Outputs)
	if err := archive.Flush(); err != nil {
		return err
	}
	sent := guest.Sent{Omitted: omitted}
	if err != nil {
		sent.Error = fmt.Sprintf("cannot pack the test's outputs: %v", err)
	}
	return errors.Join(writeJSON(w, guest.FrameSent, sent), w.Write(guest.FrameEnd, nil))
}

// dataWriter sends what is written to it.
type dataWriter struct{ frames *guest.FrameWriter }

func (w dataWriter) Write(p []byte) (int, error) { return len(p), w.frames.Write(guest.FrameData, p) }

func writeJSON(w *guest.FrameWriter, kind guest.FrameKind, value any) error {
	message, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return w.Write(kind, message)
}

// runTest runs the test until it ends.
func runTest(console io.Writer) guest.Ending {
	notStarted := func(err error) guest.Ending {
		return guest.Ending{Code: exitNotStarted, Error: fmt.Sprintf("cannot start the test: %v", err)}
	}
	r, err := guest.ReadJSON[guest.Run](guest.RunFile)
	if err != nil {
		return notStarted(err)
	}
	// If the test has no runfiles, the image lacks their directories.
	for _, dir := range []string{filepath.Join(guest.Outputs, guest.Undeclared), r.Dir, filepath.Dir(r.Runfile)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return notStarted(err)
		}
	}
	if err := os.Symlink(guest.Program, r.Runfile); err != nil && !errors.Is(err, os.ErrExist) {
		return notStarted(err)
	}
	cmd := exec.Command(guest.Program, r.Args...)
	cmd.Env = append([]string{}, r.Env...)
	cmd.Dir = r.Dir
	cmd.Stdout, cmd.Stderr = console, console
	err = cmd.Run()
	var exited *exec.ExitError
	switch {
	case err == nil:
		return guest.Ending{}
	case !errors.As(err, &exited):
		return notStarted(err)
	}
	if status, ok := exited.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return guest.Ending{Code: exitSignal + int(status.Signal()), Signal: signalName(status.Signal())}
	}
	return guest.Ending{Code: exited.ExitCode()}
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return fmt.Sprintf("%s (%v)", name, s)
	}
	return fmt.Sprintf("signal %d", int(s))
}

// quietKernel keeps the kernel's messages, except those of a panic, off the console: they
// could end up inside a frame.
func quietKernel() error {
	_, err := unix.Klogctl(unix.SYSLOG_ACTION_CONSOLE_LEVEL, make([]byte, 1)) // the length is the level
	return err
}

// drainConsole waits until the console has sent everything.
func drainConsole() error {
	const tcdrain = 1
	if err := unix.IoctlSetInt(int(os.Stdout.Fd()), unix.TCSBRK, tcdrain); err != nil && !errors.Is(err, unix.ENOTTY) {
		return err
	}
	return nil
}
