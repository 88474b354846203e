package disk

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"unicode/utf8"

	"github.com/bazelbuild/rules_go/go/runfiles"
	"github.com/google/go-cmp/cmp"
)

// TestReadDisks reads disks that mkfs.ext4, mkfs.erofs and mksquashfs have made.
func TestReadDisks(t *testing.T) {
	if os.Getenv("EXT4") == "" {
		t.Skip("needs disks that Bazel makes: run it with bazel test")
	}
	const uuid, label = "6a1c2f0e-5b3d-4e7f-8a90-0123456789ab", "guestroot"
	for variable, want := range map[string]FileSystem{
		"EXT4":     {Type: "ext4", UUID: uuid, Label: label},
		"EROFS":    {Type: "erofs", UUID: uuid, Label: label},
		"SQUASHFS": {Type: "squashfs"},
		"GPT":      {},
	} {
		name, err := runfiles.Rlocation(os.Getenv(variable))
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadFileSystem(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", variable, diff)
		}
	}
}

// ext returns the beginning of a device with these features.
func ext(compatible, incompatible, readOnly uint32) []byte {
	head := make([]byte, headSize)
	binary.LittleEndian.PutUint16(head[1024+56:], 0xef53)
	binary.LittleEndian.PutUint32(head[1024+92:], compatible)
	binary.LittleEndian.PutUint32(head[1024+96:], incompatible)
	binary.LittleEndian.PutUint32(head[1024+100:], readOnly)
	copy(head[1024+120:], "sixteen letters!beyond")
	return head
}

func TestParseExt(t *testing.T) {
	for _, test := range []struct {
		name string
		head []byte
		want FileSystem
	}{
		{"ext2", ext(0x38, 0x2, 0x3), FileSystem{Type: "ext2", Label: "sixteen letters!"}},
		{"ext3", ext(0x3c, 0x6, 0x3), FileSystem{Type: "ext3", Label: "sixteen letters!"}},
		{"extents", ext(0x3c, 0x42, 0x3), FileSystem{Type: "ext4", Label: "sixteen letters!"}},
		{"huge files", ext(0x3c, 0x2, 0x8), FileSystem{Type: "ext4", Label: "sixteen letters!"}},
		{"external journal", ext(0, 0x8, 0), FileSystem{}},
		{"cut off", ext(0x3c, 0x2, 0x8)[:2047], FileSystem{}},
	} {
		got, err := ReadFileSystem(bytes.NewReader(test.head))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// FuzzParseSuperblock checks that labels and UUIDs are bounded whatever a device begins with.
func FuzzParseSuperblock(f *testing.F) {
	f.Add(ext(0x3c, 0x42, 0x3))
	f.Add([]byte("hsqs"))
	f.Add(make([]byte, headSize))
	erofs := make([]byte, headSize)
	binary.LittleEndian.PutUint32(erofs[1024:], 0xe0f5e1e2)
	erofs[1036] = 12
	f.Add(erofs)
	f.Fuzz(func(t *testing.T, head []byte) {
		fs := parseHead(head)
		if fs.Type == "" && fs != (FileSystem{}) {
			t.Errorf("%+v", fs)
		}
		if len(fs.Label) > 16 || fs.UUID != "" && (len(fs.UUID) != 36 || !utf8.ValidString(fs.UUID)) {
			t.Errorf("%+v", fs)
		}
	})
}
