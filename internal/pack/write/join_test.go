package write

import (
	"bytes"
	"context"
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
			c := &countingWriter{w: &img}
			for _, name := range []string{"p", "qq", "rrr"} {
				opts := Options{Out: name, Method: method, Jobs: 1, Layer: true}
				if err := Outputs(context.Background(), []*list.Entry{{Kind: list.Pipe, Name: name, Perm: 0o600}}, opts); err != nil {
					t.Fatal(err)
				}
				if err := copyLayer(context.Background(), c, name); err != nil {
					t.Fatal(err)
				}
				if c.n%4 != 0 || c.n != int64(img.Len()) {
					t.Errorf("behind %s: %d bytes counted of %d, want a multiple of 4", name, c.n, img.Len())
				}
			}
			files := unpacked(t, img.Bytes())
			if len(files) != 4 || files["/p"] == nil || files["/qq"] == nil || files["/rrr"] == nil {
				t.Errorf("unpacks to %v", files)
			}
		})
	}
}
