package list_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

func TestOrigins(t *testing.T) {
	text := "dir /a 0755 0 0\n#: origin //b:b\nfile /a/b x 0644 0 0 /a//c\n#: mtime 1\n# no label\npipe /d 0600 0 0\n#: origin //e:e\nsock e 0600 0 0\n"
	got, err := list.Origins(strings.NewReader(text), "a.list")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/a": "", "/a/b": "//b:b", "/a/c": "//b:b", "/d": "//b:b", "/e": "//e:e"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	if _, err := list.Origins(strings.NewReader("#: origin //b:b\nfile\n"), "a.list"); message(err) == "" {
		t.Error("a broken list is not an error")
	}
}
