// Package layers_test looks into the images that are booted.
package layers_test

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

// The boots show that the links of two layers stay apart only if a kernel could take
// them for the same file.
func TestLinksHaveTheSameNumbers(t *testing.T) {
	if os.Getenv("IMAGES") == "" {
		t.Skip("needs the images that Bazel makes: run it with bazel test")
	}
	for path := range strings.FieldsSeq(os.Getenv("IMAGES")) {
		entries := read(t, path)
		first, second := entries["first/file"], entries["second/file"]
		if first == nil || second == nil {
			t.Fatalf("%s: no links in %d entries", path, len(entries))
		}
		if first.Ino != second.Ino || first.Major != second.Major || first.Minor != second.Minor || first.Type() != second.Type() {
			t.Errorf("%s: inode numbers %d and %d: the links do not clash", path, first.Ino, second.Ino)
		}
		if first.Trailers == second.Trailers {
			t.Errorf("%s: no trailer between the layers", path)
		}
	}
}

func read(t *testing.T, path string) map[string]*rootfs.Entry {
	t.Helper()
	name, err := runfiles.Rlocation(path)
	if err != nil {
		t.Fatal(err)
	}
	image, err := rootfs.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	entries := map[string]*rootfs.Entry{}
	for {
		e, err := image.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		entries[e.Name] = e
	}
}
