// Guest runs a test in a guest that QEMU boots: it is the executable behind the guest_test rule.
// Arguments are the test's own.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/bazelbuild/rules_go/go/runfiles"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/kvm"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/runner"
	"github.com/rules-initramfs/rules_initramfs/internal/guest/environment"
	"github.com/rules-initramfs/rules_initramfs/internal/guest/receive"
	"github.com/rules-initramfs/rules_initramfs/internal/guest/run"
)

// settings are what the rule says of the test, beside the boot.
type settings struct {
	// Workspace is the name of the test's repository among its runfiles.
	Workspace string `json:"workspace"`
	// Executable is the test's path among its runfiles.
	Executable string `json:"executable"`
	// Env is what the test's target adds to its environment.
	Env map[string]string `json:"env"`
}

// exitBroken is the exit code where it is not the test's: nothing is known of it, or a part of
// its outputs is lost.
const exitBroken = 1

func main() {
	code, err := runTest(os.Args[0], os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "guest_test: %v\n", err)
	}
	os.Exit(code)
}

func runTest(self string, args []string) (code int, err error) {
	boot, err := config.Read(self + ".boot.json")
	if err != nil {
		return runner.ExitUsage, err
	}
	own, err := readSettings(self + ".guest.json")
	if err != nil {
		return runner.ExitUsage, err
	}
	limit, err := boot.TimeLimit(os.Getenv("TEST_TIMEOUT"))
	if err != nil {
		return runner.ExitUsage, err
	}
	dir, err := os.MkdirTemp(os.Getenv("TEST_TMPDIR"), "guest-")
	if err != nil {
		return exitBroken, err
	}
	defer os.RemoveAll(dir)

	told := filepath.Join(dir, "run.cpio")
	err = writeArchive(told, run.Run{
		Args:    args,
		Env:     environment.Guest(os.Environ(), own.Env, own.Workspace),
		Dir:     filepath.Join(run.Program+".runfiles", own.Workspace),
		Runfile: filepath.Join(run.Program+".runfiles", own.Executable),
	})
	if err != nil {
		return exitBroken, err
	}
	boot.Initramfs = append(boot.Initramfs, told)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGTERM)
	received := receive.New(os.Stdout)
	start := time.Now()
	var report reportWriter
	booted := runner.Run(boot, runner.Session{
		TimeLimit:  limit,
		OutputsDir: os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"),
		TempDir:    os.Getenv("TEST_TMPDIR"),
		Rlocation:  runfiles.Rlocation,
		ProbeKVM:   kvm.Probe,
		Observe:    received.Line,
		Signals:    signals,
		Stdin:      os.Stdin,
		Stdout:     io.Discard,
		Stderr:     &report,
	})
	if booted != runner.ExitSuccess {
		os.Stderr.Write(report.text)
		if received.Began() {
			return exitBroken, fmt.Errorf("%s: the guest failed while the test ran", boot.Label)
		}
		return exitBroken, fmt.Errorf("%s: the guest failed before the test was started", boot.Label)
	}
	code, err = finish(received, filepath.Join(dir, "outputs"))
	switch {
	case err != nil:
		return max(code, exitBroken), fmt.Errorf("%s: %w", boot.Label, err)
	case code > 128:
		return code, fmt.Errorf("%s: the test was killed by a signal (%v) after %.1f s", boot.Label, syscall.Signal(code-128), time.Since(start).Seconds())
	case code != 0:
		return code, fmt.Errorf("%s: the test exited with %d after %.1f s", boot.Label, code, time.Since(start).Seconds())
	}
	return 0, nil
}

// reportWriter keeps how the boot went: of one that went well only the test is worth a word.
type reportWriter struct{ text []byte }

func (w *reportWriter) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	return len(p), nil
}

func readSettings(name string) (*settings, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	s := &settings{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// finish puts what the test has left where Bazel looks for it, and returns its exit code.
func finish(received *receive.Receiver, dir string) (code int, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return exitBroken, err
	}
	ending, err := received.Result(dir)
	if ending != nil {
		code = ending.Code
	}
	if err != nil {
		return code, err
	}
	if ending.Error != "" {
		err = errors.New(ending.Error)
	}
	for name, variable := range map[string]string{run.XML: "XML_OUTPUT_FILE", run.Sharded: "TEST_SHARD_STATUS_FILE"} {
		if to := os.Getenv(variable); to != "" {
			_, moveErr := receive.Move(dir, name, to)
			err = errors.Join(err, moveErr)
		}
	}
	if to := os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"); to != "" {
		err = errors.Join(err, os.CopyFS(to, os.DirFS(filepath.Join(dir, run.Undeclared))))
	}
	return code, err
}
