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

func TestTerminalSize(t *testing.T) {
	f := openTerminal(t)
	if rows, columns := TerminalSize(f); rows != 0 || columns != 0 {
		t.Errorf("a new terminal is %d by %d", rows, columns)
	}
	size := [4]uint16{50, 132}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size))); errno != 0 {
		t.Skip(errno)
	}
	if rows, columns := TerminalSize(f); rows != 50 || columns != 132 {
		t.Errorf("%d by %d, want 50 by 132", rows, columns)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if rows, columns := TerminalSize(null); rows != 0 || columns != 0 {
		t.Errorf("no terminal is %d by %d", rows, columns)
	}
}
