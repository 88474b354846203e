// Guest runs a test in a guest that QEMU boots. It is the executable of the guest_test
// rule, and passes its arguments to the test.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/runner"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/guest"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// settings are what the rule says of the test. The boot has its own configuration.
type settings struct {
	Workspace  string            `json:"workspace"`  // the name of the test's repository among its runfiles
	Executable string            `json:"executable"` // the test's path among its runfiles
	Env        map[string]string `json:"env"`        // variables that the test's target adds to its environment
}

// exitUnknown is the exit code if the test's own is unknown, or if some of its outputs are
// missing.
const exitUnknown = 1

func main() {
	code, err := run(os.Args[0], os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "guest_test: %v\n", err)
	}
	os.Exit(code)
}

func run(self string, args []string) (code int, err error) {
	boot, err := config.Read(self + ".boot.json")
	if err != nil {
		return runner.ExitUsage, err
	}
	test, err := guest.ReadJSON[settings](self + ".guest.json")
	if err != nil {
		return runner.ExitUsage, err
	}
	limit, err := boot.TimeLimit(os.Getenv("TEST_TIMEOUT"))
	if err != nil {
		return runner.ExitUsage, err
	}
	dir, err := os.MkdirTemp(os.Getenv("TEST_TMPDIR"), "guest-")
	if err != nil {
		return exitUnknown, err
	}
	defer os.RemoveAll(dir)

	runArchive := filepath.Join(dir, "run.cpio")
	if err := writeArchive(runArchive, test.run(args)); err != nil {
		return exitUnknown, err
	}
	boot.Initramfs = append(boot.Initramfs, runArchive)
	if err := boot.Check(); err != nil {
		return runner.ExitUsage, fmt.Errorf("%s: %w", boot.Label, err)
	}
	code, err = bootAndReceive(boot, limit, filepath.Join(dir, "outputs"))
	if err != nil {
		err = fmt.Errorf("%s: %w", boot.Label, err)
	}
	return code, err
}

// run returns what the agent runs.
func (s settings) run(args []string) guest.Run {
	runfiles := guest.Program + ".runfiles"
	return guest.Run{
		Args:    args,
		Env:     guest.Environment(os.Environ(), s.Env, s.Workspace),
		Dir:     filepath.Join(runfiles, s.Workspace),
		Runfile: filepath.Join(runfiles, s.Executable),
	}
}

// bootAndReceive boots the guest, and returns the test's exit code. The error says what is
// wrong with the guest or the test. The test's files are unpacked to dir.
func bootAndReceive(boot *config.Config, limit time.Duration, dir string) (code int, err error) {
	receiver := guest.NewReceiver(os.Stdout, console.MaxLine)
	start := time.Now()
	var report bytes.Buffer // not shown if the boot goes well
	session := runner.NewSession()
	session.TimeLimit, session.Observe, session.Stdout, session.Stderr = limit, receiver.Line, io.Discard, &report
	session.XMLFile = "" // the test writes it
	exit := runner.Run(boot, session)
	receiver.Close()
	if exit != runner.ExitSuccess {
		os.Stderr.Write(report.Bytes())
		return exitUnknown, errors.New(failures[receiver.Progress()])
	}
	elapsed := time.Since(start).Seconds()
	ending, err := collectOutputs(receiver, dir)
	switch {
	case err != nil:
		return max(ending.Code, exitUnknown), err
	case ending.Signal != "":
		return max(ending.Code, exitUnknown), fmt.Errorf("the test was killed by %s after %.1f s", printable.Text(ending.Signal), elapsed)
	case ending.Code != 0:
		return ending.Code, fmt.Errorf("the test exited with %d after %.1f s", ending.Code, elapsed)
	}
	return 0, nil
}

// failures say when a guest failed.
var failures = map[guest.Progress]string{
	guest.NotStarted: "the guest failed before the test started",
	guest.Running:    "the guest failed while the test was running",
	guest.Sending:    "the guest failed after the test had ended, and before it had sent the test's outputs",
	guest.Complete:   "the guest failed after the test had ended",
}

// collectOutputs unpacks the test's files to dir, copies them to where Bazel looks for
// them, and returns how the test ended.
func collectOutputs(receiver *guest.Receiver, dir string) (ending guest.Ending, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return ending, err
	}
	ending, omitted, err := receiver.Result(dir)
	if err != nil {
		return ending, err
	}
	if ending.Error != "" {
		err = errors.New(printable.Text(ending.Error))
	}
	more, deliverErr := guest.Deliver(dir, os.Getenv)
	for _, what := range append(omitted, more...) {
		fmt.Fprintf(os.Stderr, "guest_test: not among the outputs: %s\n", printable.Text(what))
	}
	return ending, errors.Join(err, deliverErr)
}

// writeArchive writes an archive with one file, which tells the agent what to run. The
// kernel unpacks it after the image.
func writeArchive(name string, r guest.Run) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	const regular = 0o100000
	var archive bytes.Buffer
	w := cpio.NewWriter(&archive)
	h := &cpio.Header{Name: strings.TrimPrefix(guest.RunFile, "/"), Mode: regular | 0o644, NLink: 1, Size: int64(len(text))}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(name, archive.Bytes(), 0o644)
}
