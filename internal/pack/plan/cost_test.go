package plan

import (
	"fmt"
	"os"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/costtest"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// Equal files with many names are compared once.
func TestMergeCost(t *testing.T) {
	for name, merge := range map[string]func([2]*list.Entry) error{
		"sources": func(files [2]*list.Entry) error {
			_, err := Complete(files[:], true, false)
			return err
		},
		"layers": func(files [2]*list.Entry) error {
			_, _, err := MergeLayers([][]*list.Entry{files[:1], files[1:]}, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, 1000, func(n int) func() {
				var files [2]*list.Entry
				for i := range files {
					files[i] = &list.Entry{Kind: list.File, Name: "f", Location: os.DevNull, Digest: "d"}
					for link := range n {
						files[i].Links = append(files[i].Links, fmt.Sprint(link))
					}
				}
				return func() {
					if err := merge(files); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
