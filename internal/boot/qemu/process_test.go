//go:build linux

package qemu

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemutest"
)

func TestMain(m *testing.M) { qemutest.Main(m) }

// A buffer may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// await returns the first submatch of re once it has been written.
func (b *buffer) await(t *testing.T, re string) string {
	t.Helper()
	var match []string
	found := qemutest.Await(func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		match = regexp.MustCompile(re).FindStringSubmatch(b.b.String())
		return match != nil
	})
	if !found {
		t.Fatalf("no %q in %q", re, b.b.String())
	}
	return match[1]
}

// start starts a guest, and returns the process ID that it prints.
func start(t *testing.T, script string, o Options) (p *Process, pid int) {
	t.Helper()
	var out buffer
	o.Stdout, o.Stderr = &out, io.Discard
	p, err := Start([]string{qemutest.Executable(t), "-kernel", qemutest.Kernel(t, script)}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	pid, _ = strconv.Atoi(out.await(t, `pid (\d+)\n`))
	return p, pid
}

func TestStop(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         syscall.Signal
	}{
		{"listening", "pid\nhang", syscall.SIGTERM},
		{"deaf", "deaf\npid\nhang", syscall.SIGKILL},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, pid := start(t, test.script, Options{})
			if test.want == syscall.SIGTERM {
				p.grace = time.Hour // also if the machine is busy
			}
			p.Stop()
			if qemutest.Running(pid) {
				t.Errorf("process %d is running", pid)
			}
			if got := p.State().Sys().(syscall.WaitStatus).Signal(); got != test.want {
				t.Errorf("ended by %v, want %v", got, test.want)
			}
			p.Stop() // again does nothing
		})
	}
}

// TestChildOutlivesQEMU has a QEMU that exits while its child still runs, as a script that runs
// QEMU may do.
func TestChildOutlivesQEMU(t *testing.T) {
	t.Parallel()
	p, pid := start(t, "leave", Options{})
	<-p.Done() // long before the child ends by itself
	if !qemutest.Await(func() bool { return !qemutest.Running(pid) }) {
		t.Errorf("process %d, a child of QEMU, still runs", pid)
	}
}

// TestThread ends the thread that called Start, which must not end QEMU.
func TestThread(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	var p *Process
	var pid int
	go func() {
		runtime.LockOSThread() // and no unlock: the thread ends with the function
		defer close(started)
		p, pid = start(t, "pid\nhang", Options{})
	}()
	<-started
	select {
	case <-p.Done():
		t.Error("QEMU ended with the thread that started it")
	case <-time.After(100 * time.Millisecond):
	}
	if !qemutest.Running(pid) {
		t.Errorf("process %d is not running", pid)
	}
}

func TestStartFails(t *testing.T) {
	p, err := Start([]string{"/nonexistent/qemu"}, Options{})
	if !os.IsNotExist(err) {
		t.Errorf("started %v, error %v", p, err)
	}
}
