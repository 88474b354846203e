package qemu

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// openTerminal returns a pseudo-terminal nobody looks at.
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	var number, unlocked int32
	for _, request := range []struct {
		code  uintptr
		value *int32
	}{{syscall.TIOCSPTLCK, &unlocked}, {syscall.TIOCGPTN, &number}} {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request.code, uintptr(unsafe.Pointer(request.value)))
		if errno != 0 {
			t.Skip(errno)
		}
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestTerminalRestored kills a QEMU that does not restore the terminal.
func TestTerminalRestored(t *testing.T) {
	t.Parallel()
	f := openTerminal(t)
	flags := func() uintptr {
		v, _, _ := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFL, 0)
		return v
	}
	before, err := terminal(f.Fd())
	if err != nil {
		t.Fatal(err)
	}
	flagsBefore := flags()

	p, _ := start(t, "raw\ndeaf\npid\nhang", Options{Interactive: true, Stdin: f})
	if now, err := terminal(f.Fd()); err != nil || now == before {
		t.Fatalf("the terminal is not in raw mode: %v", err)
	}
	p.Stop()

	if after, err := terminal(f.Fd()); err != nil || after != before {
		t.Errorf("terminal settings %+v, %v, want %+v", after, err, before)
	}
	if got := flags(); got != flagsBefore {
		t.Errorf("file flags %#x, want %#x", got, flagsBefore)
	}
}
