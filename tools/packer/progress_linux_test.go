package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onTerminal runs the packer with a terminal as its standard error, and returns
// what it wrote there.
func onTerminal(t *testing.T, term string, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), "packer", args...)
	cmd.Env = append(os.Environ(), "TERM="+term)
	cmd.Stderr = terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	text := make(chan string)
	go func() {
		all, _ := io.ReadAll(master) // EIO after the last process has closed the terminal
		text <- string(all)
	}()
	cmd.Wait()
	select {
	case all := <-text:
		return all
	case <-time.After(20 * time.Second):
		t.Fatal("the terminal stays open")
		return ""
	}
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
