//go:build unix

package interrupt_test

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
)

func TestOpenFIFO(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := interrupt.Open(ctx, name); err != context.Canceled {
		t.Error(err)
	}
}
