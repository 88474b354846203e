// Package layers_test reads the images that the boots use.
package layers_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// The boots show that the hard links of two layers stay separate, but only if their inode numbers
// are the same.
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
			t.Errorf("%s: inode numbers %d and %d: want the same", path, first.Ino, second.Ino)
		}
		if first.Trailers == second.Trailers {
			t.Errorf("%s: no trailer between the layers", path)
		}
	}
}

// The parts of an image, each at a multiple of 4 bytes as boot loaders place several initrd files, are
// the image.
func TestPartsAreTheImage(t *testing.T) {
	if os.Getenv("IMAGES") == "" {
		t.Skip("needs the images that Bazel makes: run it with bazel test")
	}
	for i, path := range strings.Fields(os.Getenv("IMAGES")) {
		want := content(t, path)
		var got []byte
		parts := strings.Fields(os.Getenv(fmt.Sprintf("PARTS_%d", i)))
		for _, part := range parts {
			got = append(got, make([]byte, -len(got)&3)...)
			got = append(got, content(t, part)...)
		}
		// The layer of /init, three others, the image's own, and the tail, which has /srv again.
		if len(parts) != 6 || len(content(t, parts[5])) == 0 {
			t.Errorf("%s: want 6 parts, the last one not empty: %q", path, parts)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the image has %d bytes, and the joined parts have %d other ones", path, len(want), len(got))
		}
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	name, err := runfiles.Rlocation(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func read(t *testing.T, path string) map[string]*image.Entry {
	t.Helper()
	name, err := runfiles.Rlocation(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := image.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	entries := map[string]*image.Entry{}
	for {
		e, err := img.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		entries[e.Name] = e
	}
}
