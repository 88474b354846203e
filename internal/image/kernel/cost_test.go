package kernel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/costtest"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// The cost of a step along a path does not depend on the length of the path.
func TestModelCost(t *testing.T) {
	costtest.Linear(t, 1500, func(depth int) func() {
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
		return func() {
			for i := range 200 {
				m.Add(&kernel.Record{Name: fmt.Sprint(strings.Repeat("./", i%2), "l/", i), Mode: cpio.TypePipe})
			}
			m.End()
			if err := m.Err(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
