// Package costtest checks that time grows no faster than the input.
package costtest

import (
	"testing"
	"time"
)

// Linear runs a function with n and with twice as much, and fails the test if the time on CPUs grows to
// more than three times. Other processes of a busy machine do not count, and what remains of chance
// does not fail five tries. run returns what is to be measured.
func Linear(t *testing.T, n int, run func(n int) func()) {
	t.Helper()
	measure := func(n int) time.Duration {
		what := run(n)
		begin := processTime(t)
		what()
		return processTime(t) - begin
	}
	var tries []float64
	for range 5 {
		once, twice := measure(n), measure(2*n)
		ratio := float64(twice) / float64(max(once, 5*time.Millisecond))
		if tries = append(tries, ratio); ratio < 3 {
			return
		}
	}
	t.Errorf("twice the input takes %.1f times the time", tries)
}
