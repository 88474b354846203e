package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onTerminal runs the packer with a terminal as its standard error, and returns
// what it wrote there.
func onTerminal(t *testing.T, term string, args ...string) string {
	t.Helper()
	p := openTerminal(t, 80)
	cmd := exec.CommandContext(t.Context(), "packer", args...)
	cmd.Env = append(os.Environ(), "TERM="+term)
	cmd.Stderr = p.File
	cmd.Run()
	p.Close()
	select {
	case <-p.closed:
	case <-time.After(20 * time.Second):
		t.Fatal("the terminal stays open")
	}
	return p.String()
}

// A command that lasts has a line on a terminal, which is erased at the end.
func TestProgress(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a.list", []byte("dir /a 0755 0 0\nfile /b a.list 0644 0 0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	slow := []string{"pack", "--compressor", "sh -c 'sleep 1.5; exec gzip -n'", "--out", "out", "a.list"}
	fails := []string{"pack", "--compressor", "sh -c 'sleep 1.5; exit 3'", "--out", "out", "a.list"}
	quick := []string{"pack", "--out", "out", "a.list"}
	const erase = "\r\x1b[K"

	got := onTerminal(t, "xterm", slow...)
	if !strings.HasPrefix(got, erase+"2 of 2 entries, 0.0 MB, ") || !strings.HasSuffix(got, "MB/s"+erase) {
		t.Errorf("the terminal has %q", got)
	}
	got = onTerminal(t, "xterm", fails...)
	if _, message, ok := strings.Cut(got, erase+"packer: "); !ok || !strings.HasSuffix(message, "exit status 3\r\n") {
		t.Errorf("the terminal has %q, want the message after an erased line", got)
	}
	if got := onTerminal(t, "dumb", slow...); got != "" {
		t.Errorf("a dumb terminal has %q", got)
	}
	if got := onTerminal(t, "xterm", quick...); got != "" {
		t.Errorf("a quick command has %q", got)
	}
	cmd, stderr := start(t, slow...)
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		t.Errorf("%v, where there is no terminal: %q", err, stderr)
	}
}

// terminal is a pseudo-terminal and what was written to it.
type terminal struct {
	*os.File
	mu     sync.Mutex
	text   bytes.Buffer
	closed chan struct{} // closed when no process has the terminal open
}

func (p *terminal) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// waitFor waits until the terminal has received a text.
func (p *terminal) waitFor(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.String(), want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %q", want, p)
		}
	}
}

func openTerminal(t *testing.T, columns uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Skip(err)
	}
	p := &terminal{closed: make(chan struct{})}
	p.File, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { p.Close() })
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := master.Read(buf)
			p.mu.Lock()
			p.text.Write(buf[:n])
			p.mu.Unlock()
			if err != nil { // EIO
				close(p.closed)
				return
			}
		}
	}()
	return p
}

func TestProgressLine(t *testing.T) {
	t.Setenv("TERM", "xterm")
	p := openTerminal(t, 80)
	begun := time.Now()
	l := startProgress(p.File)
	l.set(12, 340, 56_700_000)
	p.waitFor(t, "MB/s")
	if shown := time.Since(begun); shown < progressDelay {
		t.Errorf("shown after %v", shown)
	}
	first := regexp.MustCompile(`^\r\x1b\[K12 of 340 entries, 56\.7 MB, \d+\.\d MB/s`)
	if got := p.String(); !first.MatchString(got) {
		t.Errorf("the terminal has %q, want %s", got, first)
	}
	l.set(13, 340, 60_000_000)
	p.waitFor(t, erase+"13 of 340")

	// The message has a line of its own, and the progress line appears again.
	l.interrupt(func() { p.WriteString("warning\n") })
	l.set(14, 340, 61_000_000)
	p.waitFor(t, erase+"14 of 340")
	if got := p.String(); !strings.Contains(got, "MB/s"+erase+"warning\r\n"+erase+"1") {
		t.Errorf("the terminal has %q: nothing is erased before the warning", got)
	}

	l.stop()
	p.WriteString("end")
	p.waitFor(t, "end")
	if got := p.String(); !strings.HasSuffix(got, "MB/s"+erase+"end") {
		t.Errorf("the terminal has %q: nothing is erased at the end", got)
	}
}

// The line of a short command is not shown.
func TestProgressLineOfShortCommand(t *testing.T) {
	t.Setenv("TERM", "xterm")
	p := openTerminal(t, 80)
	l := startProgress(p.File)
	l.set(1, 2, 3)
	l.interrupt(func() { p.WriteString("warning ") })
	l.stop()
	p.WriteString("end")
	p.waitFor(t, "end")
	if got := p.String(); got != "warning end" {
		t.Errorf("the terminal has %q", got)
	}
}

func TestProgressLineOfNarrowTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	p := openTerminal(t, 20)
	l := startProgress(p.File)
	l.set(1, 2, 3)
	p.waitFor(t, "entries")
	l.stop()
	p.WriteString("end")
	p.waitFor(t, "end")
	if got, want := p.String(), erase+"0 of 0 entries, 0.0"+erase+"end"; len(got) != len(want) {
		t.Errorf("the terminal has %q: that is more than 19 columns", got)
	}
}

func TestNoProgressLine(t *testing.T) {
	p := openTerminal(t, 80)
	for _, term := range []string{"", "dumb"} {
		t.Setenv("TERM", term)
		if startProgress(p.File) != nil {
			t.Errorf("TERM=%s: there is a line", term)
		}
	}
	t.Setenv("TERM", "xterm")
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l := startProgress(file)
	if l != nil {
		t.Error("there is a line in a file")
	}
	called := false
	l.set(1, 2, 3)
	l.interrupt(func() { called = true })
	l.stop()
	if !called {
		t.Error("interrupt does not call its argument")
	}
}
