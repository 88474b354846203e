//go:build !unix

package packtest

import "testing"

// MakeFIFO skips the test: this system has no FIFOs in its file systems.
func MakeFIFO(t *testing.T, _ string) {
	t.Helper()
	t.Skip("no FIFOs on this system")
}
