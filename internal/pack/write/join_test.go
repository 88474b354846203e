package write

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

// unpacked returns what a kernel makes of an image.
func unpacked(t *testing.T, img []byte) map[string]*kernel.File {
	t.Helper()
	r := image.NewReader(bytes.NewReader(img))
	defer r.Close()
	m, err := kernel.ReadModel(r, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.Files
}

// A kernel finds the layer after each layer, whatever their codecs are.
func TestCopyLayer(t *testing.T) {
	packtest.InTree(t, nil)
	for _, name := range []string{"none", "gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd"} {
		t.Run(name, func(t *testing.T) {
			method, err := codec.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			var img bytes.Buffer
			c := image.NewJoiner(&img)
			for _, name := range []string{"p", "qq", "rrr"} {
				opts := Options{Out: name, Method: method, Jobs: 1, Layer: true}
				if err := Outputs(context.Background(), []*list.Entry{{Kind: list.Pipe, Name: name, Perm: 0o600}}, opts); err != nil {
					t.Fatal(err)
				}
				if err := copyLayer(context.Background(), c, name); err != nil {
					t.Fatal(err)
				}
				if c.Size()%4 != 0 || c.Size() != int64(img.Len()) {
					t.Errorf("after %s: %d bytes counted of %d, want a multiple of 4", name, c.Size(), img.Len())
				}
			}
			files := unpacked(t, img.Bytes())
			if len(files) != 4 || files["/p"] == nil || files["/qq"] == nil || files["/rrr"] == nil {
				t.Errorf("unpacks to %v", files)
			}
		})
	}
}

// A layer ends for the codec of its last member, whatever that of the first one is: lz4
// needs zeros after it, and a member that lz4 does not make smaller is not compressed.
func TestLayerOfSeveralCodecs(t *testing.T) {
	random := make([]byte, 8<<10)
	rand.NewChaCha8([32]byte{}).Read(random)
	packtest.InTree(t, map[string]string{"random": string(random), "zeros": strings.Repeat("\x00", 8<<10)})
	lz4, err := codec.Parse("lz4")
	if err != nil {
		t.Fatal(err)
	}
	var img bytes.Buffer
	j := image.NewJoiner(&img)
	for i, method := range []codec.Compression{lz4, {}} {
		name := fmt.Sprint(i)
		entries := []*list.Entry{
			{Kind: list.File, Name: "r" + name, Perm: 0o644, Location: "random"},
			{Kind: list.File, Name: "z" + name, Perm: 0o644, Location: "zeros"},
		}
		opts := Options{Out: name, Method: method, MemberSize: 4 << 10, Jobs: 1, Layer: true}
		if err := Outputs(context.Background(), entries, opts); err != nil {
			t.Fatal(err)
		}
		if err := copyLayer(context.Background(), j, name); err != nil {
			t.Fatal(err)
		}
	}
	if files := unpacked(t, img.Bytes()); len(files) != 5 {
		t.Errorf("unpacks to %v", files)
	}
}
