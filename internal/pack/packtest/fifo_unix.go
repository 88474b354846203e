//go:build unix

package packtest

import (
	"syscall"
	"testing"
)

// MakeFIFO makes a FIFO.
func MakeFIFO(t *testing.T, name string) {
	t.Helper()
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
}
