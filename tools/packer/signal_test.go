package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

// patience is for machines that are slow or busy: no test waits for it to pass.
const patience = 2 * time.Minute

// start runs the packer, which TestMain has put on the PATH, in the working directory. If it
// does not end, it is killed and the test fails.
func start(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "packer", args...)
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() {
		t.Error("the packer does not end")
		cmd.Process.Kill()
	})
	t.Cleanup(func() { timer.Stop() })
	return cmd, stderr
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// names returns the names in the working directory, hidden ones too.
func names(t *testing.T) string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		all = append(all, f.Name())
	}
	return strings.Join(all, " ")
}

// begun reports whether the packer has created the output: a file that has another name, or
// none, before it is complete.
func begun(cmd *exec.Cmd) bool {
	if temporary, _ := filepath.Glob(".out.*"); len(temporary) > 0 {
		return true
	}
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", cmd.Process.Pid))
	return slices.ContainsFunc(open, func(name string) bool {
		file, err := os.Readlink(name)
		return err == nil && strings.HasSuffix(file, " (deleted)")
	})
}

// startLong starts to pack a file for longer than a test waits.
func startLong(t *testing.T) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a.list", []byte("file /big big 0644 0 0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("big", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	// It takes no space on disk, and longer to compress than the test waits.
	if err := os.Truncate("big", 4294967295); err != nil {
		t.Skip(err)
	}
	cmd, stderr := start(t, "pack", "--out", "out", "--compress", "gzip", "a.list")
	waitFor(t, "the output to begin", func() bool { return begun(cmd) })
	return cmd, stderr
}

func TestInterrupted(t *testing.T) {
	cmd, stderr := startLong(t)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 1 {
		t.Errorf("exit code %d, want 1", got)
	}
	if got, want := stderr.String(), "packer: interrupted: nothing is written\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	if got := names(t); got != "a.list big" {
		t.Errorf("files left: %s", got)
	}
}

// Nothing is left of an output even if the packer is killed.
func TestKilled(t *testing.T) {
	cmd, _ := startLong(t)
	if temporary, _ := filepath.Glob(".out.*"); len(temporary) > 0 {
		t.Skip("the file system has no files without a name")
	}
	cmd.Process.Kill()
	cmd.Wait()
	if got := names(t); got != "a.list big" {
		t.Errorf("files left: %s", got)
	}
}

// A signal ends the packer while it waits for what another program writes to a FIFO.
func TestInterruptedWaiting(t *testing.T) {
	for _, args := range [][]string{
		{"pack", "--out", "out", "fifo"},
		{"ls", "fifo"},
		{"extract", "fifo", "dir"},
		{"lint", "fifo"},
		{"diff", "fifo", "fifo"},
		{"gen_init_cpio", "fifo"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Chdir(t.TempDir())
			packtest.MakeFIFO(t, "fifo")
			cmd, stderr := start(t, args...)
			waitFor(t, "the packer to open the FIFO", func() bool {
				file, err := os.OpenFile("fifo", os.O_WRONLY|syscall.O_NONBLOCK, 0)
				if err == nil {
					t.Cleanup(func() { file.Close() })
				}
				return err == nil
			})
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if got, want := stderr.String(), "packer: interrupted: nothing is written\n"; got != want {
				t.Errorf("stderr %q, want %q", got, want)
			}
			if got := names(t); got != "fifo" {
				t.Errorf("files left: %s", got)
			}
		})
	}
}

// A command whose input is read at offsets does not wait for the writer of a FIFO.
func TestFIFO(t *testing.T) {
	t.Chdir(t.TempDir())
	packtest.MakeFIFO(t, "fifo")
	for _, args := range [][]string{
		{"uki", "--stub", "fifo", "--kernel", "fifo", "--out", "out"},
		{"measure", "--out", "out", "fifo"},
		{"efi-variables", "--list", "fifo"},
		{"fit", "--kernel", "fifo", "--out", "out"},
		{"fit-verify", "fifo"},
		{"uimage", "--type", "ramdisk", "--arch", "arm64", "--out", "out", "fifo"},
		{"android-boot", "--kernel", "fifo", "--out", "out"},
		{"efi-disk", "--out", "out", "a=fifo"},
	} {
		t.Run(args[0], func(t *testing.T) {
			cmd, stderr := start(t, args...)
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				cmd.Process.Kill()
				t.Fatal("the packer waits")
			}
			if got := cmd.ProcessState.ExitCode(); got != 1 {
				t.Errorf("exit code %d, want 1: %s", got, stderr)
			}
			if got := names(t); got != "fifo" {
				t.Errorf("files left: %s", got)
			}
		})
	}
}
