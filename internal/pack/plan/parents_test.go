package plan

import (
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// The kernel would drop what is below a component that is too long for a directory's name.
func TestCompleteLongComponent(t *testing.T) {
	pos := list.Pos{File: "a.list", Line: 3}
	for length, ok := range map[int]bool{255: true, 256: false} {
		name := strings.Repeat("n", length) + "/p"
		got, err := Complete([]*list.Entry{{Kind: list.Pipe, Name: name, Pos: pos}}, true, false)
		if ok && (err != nil || len(got) != 2) || !ok && (err == nil || !strings.HasPrefix(err.Error(), "a.list:3: ")) {
			t.Errorf("%d bytes: %d entries, %v", length, len(got), err)
		}
	}
}
