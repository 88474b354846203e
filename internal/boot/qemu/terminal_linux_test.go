package qemu

import (
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemutest"
)

// TestTerminalRestored kills a QEMU before it restores the terminal.
func TestTerminalRestored(t *testing.T) {
	t.Parallel()
	f := qemutest.Terminal(t)
	fd := int(f.Fd())
	flags := func() int {
		v, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	before, err := term.GetState(fd)
	if err != nil {
		t.Fatal(err)
	}
	flagsBefore := flags()

	p, _ := start(t, "raw\ndeaf\npid\nhang", Options{Interactive: true, Stdin: f})
	if now, err := term.GetState(fd); err != nil || *now == *before {
		t.Fatalf("the terminal is not in raw mode: %v", err)
	}
	p.Stop()

	if after, err := term.GetState(fd); err != nil || *after != *before {
		t.Errorf("terminal settings %+v, %v, want %+v", after, err, before)
	}
	if got := flags(); got != flagsBefore {
		t.Errorf("file flags %#x, want %#x", got, flagsBefore)
	}
}
