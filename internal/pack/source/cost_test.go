package source

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/costtest"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// deep returns entries of a directory at a depth.
func deep(depth int) []*list.Entry {
	var entries []*list.Entry
	for i := range 1000 {
		entries = append(entries, &list.Entry{Kind: list.File, Name: fmt.Sprint(strings.Repeat("d/", depth), i)})
	}
	return entries
}

// The cost of a name does not grow with the number of directories above it, but with its length.
func TestDeepCost(t *testing.T) {
	costtest.Linear(t, 900, func(depth int) func() {
		var f filter
		for _, to := range []*[]*pattern{&f.includes, &f.excludes} {
			for _, glob := range []string{"/x/**", "/**/x", "/d/?"} {
				if err := addPattern(to, &list.Directive{Word: "include", Args: []string{glob}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		entries := deep(depth)
		return func() { f.keep(entries) }
	})
	costtest.Linear(t, 900, func(depth int) func() {
		w, err := readWhiteouts([]*list.Entry{{Kind: list.File, Name: "a/.wh.b"}})
		if err != nil {
			t.Fatal(err)
		}
		entries := deep(depth)
		return func() { w.apply(entries) }
	})
}
