package source

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

func TestRead(t *testing.T) {
	packtest.InTree(t, map[string]string{
		"a.list": "# comment\ndir /a 0755 0 0\nfile /b ${OUT}/b 0644 0 0\n",
		"b.list": "dir /c 0755 0 0",
	})
	all, err := ReadLists(t.Context(), []string{"b.list", "a.list"}, Options{Vars: map[string]string{"OUT": "out"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, fmt.Sprintf("%s: %s", e.Pos, e))
	}
	want := []string{
		"b.list:1: dir /c 0755 0 0",
		"a.list:2: dir /a 0755 0 0",
		"a.list:3: file /b out/b 0644 0 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// Everything that is wrong with all lists is reported at once.
func TestReadErrors(t *testing.T) {
	var err error
	t.Run("in a directory", func(t *testing.T) {
		packtest.InTree(t, map[string]string{
			"a.list":    "dir\ndir /a 0755 0 0\nfile /b ${OUT}/b 0644 0 0\n",
			"b.list":    "pipe /c 0755 0",
			"dir/x":     "",
			"good.list": "dir /d 0755 0 0\n",
		})
		_, err = ReadLists(t.Context(), []string{"a.list", "missing.list", "dir", "good.list", "b.list"}, Options{})
	})
	if diff := cmp.Diff([]string{"a.list:1", "a.list:3", "", "", "b.list:1"}, packtest.Places(err)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	golden.Text(t, "TestReadErrors.txt", packtest.Message(err)+"\n")
}

func TestReadManyErrors(t *testing.T) {
	packtest.InTree(t, map[string]string{"a.list": strings.Repeat("nonsense here\n", 1000)})
	_, err := ReadLists(t.Context(), []string{"a.list"}, Options{})
	if got := packtest.Places(err); len(got) != list.MaxErrors+1 || got[list.MaxErrors] != "" {
		t.Errorf("%d errors, the last of them at %q", len(got), got[len(got)-1])
	}
}

// Without directives, they are the comments that they are to the kernel's tool.
func TestReadNoDirectives(t *testing.T) {
	packtest.InTree(t, map[string]string{"a.list": "#: what is this\ndir /a 0755 0 0\n#: metadata /a mode=0700\n"})
	all, err := ReadLists(t.Context(), []string{"a.list"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"dir /a 0755 0 0"}, packtest.Lines(all)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}
