package write

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDeps(t *testing.T) {
	var b strings.Builder
	if err := Deps(&b, []string{"a", "b:c", "d e", "f#$g", "*?["}); err != nil {
		t.Fatal(err)
	}
	want := "deps_initramfs := \\\na \\\nb\\:c \\\nd\\ e \\\nf\\#$$g \\\n\\*\\?\\[ \\\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("makefile (-want +got):\n%s", diff)
	}
	if err := Deps(&b, []string{"a\nb"}); err == nil {
		t.Error("a newline in a name is not an error")
	}
}
