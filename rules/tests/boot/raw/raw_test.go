// Package raw_test reads the images that the boots use.
package raw_test

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// maxRaw is the size of the largest uncompressed member, in bytes.
const maxRaw = 16 << 20

// Uncompressed members follow compressed ones, each other (which reads as one member), and precede
// compressed ones.
func TestMembers(t *testing.T) {
	if os.Getenv("IMAGES") == "" {
		t.Skip("needs the images that Bazel makes: run it with bazel test")
	}
	for img := range strings.FieldsSeq(os.Getenv("IMAGES")) {
		codec, path, _ := strings.Cut(img, "=")
		all := members(t, path)
		var got []string
		for _, m := range all {
			got = append(got, m.Codec)
		}
		want := []string{codec, image.Uncompressed, codec}
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Fatalf("%s: members in %q, want %q first", path, got, want)
		}
		if size := all[1].Unpacked; size <= maxRaw {
			t.Errorf("%s: %d bytes are not compressed: want more than one member", path, size)
		}
	}
}

func members(t *testing.T, path string) []image.Member {
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
	for err == nil {
		_, err = img.Next()
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	return img.Members()
}
