package kind

import (
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

func TestParse(t *testing.T) {
	for k := File; int(k) < len(kinds); k++ {
		word := k.String()
		if got, err := Parse(word); got != k || err != nil {
			t.Errorf("Parse(%q) = %v, %v", word, got, err)
		}
		if usage := k.Usage(); !strings.HasPrefix(usage, word+" <name> ") {
			t.Errorf("usage of %v: %q", k, usage)
		}
		if TypeOf(k.Bits()).Kind == 0 {
			t.Errorf("%v has the bits of no type: %#o", k, k.Bits())
		}
	}
	for _, word := range []string{"", "File", "nodx", "kind 0"} {
		got, err := Parse(word)
		if got != 0 || err == nil {
			t.Errorf("Parse(%q) = %v, %v: want an error", word, got, err)
			continue
		}
		for _, row := range kinds[File:] {
			if !strings.Contains(err.Error(), " "+row.word) {
				t.Errorf("Parse(%q): %v: want the word %s", word, err, row.word)
			}
		}
	}
	if got := Kind(99).Usage(); got != "kind 99" {
		t.Errorf("usage of an unknown kind: %q", got)
	}
}

func TestTypeOf(t *testing.T) {
	for _, want := range types {
		// Of the types of a kind, the first has its bits.
		if first := TypeOf(want.Kind.Bits()); first.Kind != want.Kind {
			t.Errorf("the bits of %v are those of %v", want.Kind, first.Kind)
		}
		if got := TypeOf(want.Bits | 0o7777); got != want {
			t.Errorf("TypeOf(%#o) = %v, want %v", want.Bits|0o7777, got, want)
		}
	}
	for _, mode := range []uint32{0, 0o755, 0o030644, 0o170000} {
		if got := TypeOf(mode); got.Kind != 0 || got.Letter != '?' || got.Bits != mode&cpio.TypeMask {
			t.Errorf("TypeOf(%#o) = %v", mode, got)
		}
	}
}
