//go:build unix

package kernel_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// The cost of a step along a path does not depend on the length of the path: names that lead
// twice as far take twice the time.
func TestModelCost(t *testing.T) {
	unpack := func(depth int) time.Duration {
		m := kernel.NewModel()
		at := "d"
		m.Add(&kernel.Record{Name: at, Mode: cpio.TypeDir})
		for i := 1; i < depth; i++ {
			if len(at) > 4000 {
				link := fmt.Sprint("l", i)
				m.Add(&kernel.Record{Name: link, Mode: cpio.TypeSymlink, Target: at})
				at = link
			}
			at += "/d"
			if made := m.Add(&kernel.Record{Name: at, Mode: cpio.TypeDir}); made.Drop != 0 {
				t.Fatal(made.Detail)
			}
		}
		m.Add(&kernel.Record{Name: "l", Mode: cpio.TypeSymlink, Target: at})
		begin := processTime(t)
		for i := range 200 {
			m.Add(&kernel.Record{Name: fmt.Sprint(strings.Repeat("./", i%2), "l/", i), Mode: cpio.TypePipe})
		}
		m.End()
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		return processTime(t) - begin
	}
	var tries []float64
	for range 5 {
		ratio := float64(unpack(8000)) / float64(unpack(4000))
		if tries = append(tries, ratio); ratio < 3 {
			return
		}
	}
	t.Errorf("twice the depth takes %.1f times the time", tries)
}

// processTime returns the time that the process has spent on CPUs, which other processes of a
// busy machine do not change.
func processTime(t *testing.T) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano())
}
