package disk

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"testing"

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
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadFileSystem(f, info.Size())
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
	head := make([]byte, 4096)
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
		{"external journal", ext(0, 0x8, 0), FileSystem{Type: "jbd", Label: "sixteen letters!"}},
		{"cut off", ext(0x3c, 0x2, 0x8)[:2047], FileSystem{}},
	} {
		got, err := ReadFileSystem(bytes.NewReader(test.head), int64(len(test.head)))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

const testUUID = "6a1c2f0e-5b3d-4e7f-8a90-0123456789ab"

// devices are the beginnings of devices in testdata, compressed. The commands made them. What
// they are is what blkid says.
var devices = []struct {
	name, command string
	size          int64
	want          FileSystem
}{
	{"btrfs", "mkfs.btrfs -U UUID -L guestroot", 120 << 20, FileSystem{"btrfs", "guestroot", testUUID}},
	{"exfat", "mkfs.exfat -L guestroot", 8 << 20, FileSystem{"exfat", "guestroot", "FB4C-D8F4"}},
	{"f2fs", "mkfs.f2fs -U UUID -l 'guest röot'", 64 << 20, FileSystem{"f2fs", "guest röot", testUUID}},
	{"iso", "genisoimage -V GUESTROOT", 356352, FileSystem{"iso9660", "GUESTROOT", "2026-11-29-21-28-20-00"}},
	{"jbd", "mkfs.ext4 -O journal_dev -U UUID -L guestroot", 4 << 20, FileSystem{"jbd", "guestroot", testUUID}},
	{"luks1", "cryptsetup luksFormat --type luks1 --uuid UUID", 32 << 20, FileSystem{"crypto_LUKS", "", testUUID}},
	{"luks2", "cryptsetup luksFormat --type luks2 --uuid UUID --label guestroot", 32 << 20, FileSystem{"crypto_LUKS", "guestroot", testUUID}},
	{"lvm", "pvcreate -u 6a1c2f-0e5b-3d4e-7f8a-9001-2345-6789ab", 8 << 20, FileSystem{"LVM2_member", "", "6a1c2f-0e5b-3d4e-7f8a-9001-2345-6789ab"}},
	{"ntfs", "mkfs.ntfs", 8 << 20, FileSystem{"ntfs", "", "678E6D4E2BF685EA"}}, // blkid also reads its label, from a file
	{"swap", "mkswap -U UUID -L guestroot", 2 << 20, FileSystem{"swap", "guestroot", testUUID}},
	{"vfat16", "mkfs.vfat -F 16 -i 6a1c2f0e -n GUESTROOT", 16 << 20, FileSystem{"vfat", "GUESTROOT", "6A1C-2F0E"}},
	{"vfat32", "mkfs.vfat -F 32 -i 6a1c2f0e -n GUESTROOT", 64 << 20, FileSystem{"vfat", "GUESTROOT", "6A1C-2F0E"}},
	{"xfs", "mkfs.xfs -m uuid=UUID -L guestroot", 300 << 20, FileSystem{"xfs", "guestroot", testUUID}},
}

// beginning returns the content of a file of testdata.
func beginning(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestDevices(t *testing.T) {
	for _, device := range devices {
		got, err := ReadFileSystem(bytes.NewReader(beginning(t, device.name)), device.size)
		if err != nil {
			t.Errorf("%s: %v", device.name, err)
		}
		if diff := cmp.Diff(device.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", device.name, diff)
		}
	}
}

// The label of a FAT is the one of the root directory. Other systems change only that.
func TestFATLabel(t *testing.T) {
	content := beginning(t, "vfat16")
	content = bytes.Replace(content, []byte("GUESTROOT  FAT16"), []byte("NO NAME    FAT16"), 1)
	for _, want := range []string{"GUESTROOT", ""} {
		got, err := ReadFileSystem(bytes.NewReader(content), 16<<20)
		if err != nil || got.Label != want {
			t.Errorf("label %q, want %q, error %v", got.Label, want, err)
		}
		content = bytes.Replace(content, []byte("GUESTROOT  \x08"), []byte("\xe5UESTROOT  \x08"), 1) // deleted
	}
}

// raid returns a device of size bytes that is a member of an array (struct mdp_superblock_1
// and struct mdp_superblock_s of include/uapi/linux/raid/md_p.h).
func raid(size int, version string) []byte {
	b := make([]byte, size)
	le := binary.LittleEndian
	offset := map[string]int{"0.90": size&^0xffff - 0x10000, "1.0": size&^0xfff - 0x2000, "1.1": 0, "1.2": 4096}[version]
	sb := b[offset:]
	le.PutUint32(sb, 0xa92b4efc)
	id := []byte("\x6a\x1c\x2f\x0e\x5b\x3d\x4e\x7f\x8a\x90\x01\x23\x45\x67\x89\xab")
	if version == "0.90" {
		le.PutUint32(sb[8:], 90)
		for i, at := range []int{20, 52, 56, 60} {
			le.PutUint32(sb[at:], binary.BigEndian.Uint32(id[4*i:]))
		}
		return b
	}
	le.PutUint32(sb[4:], 1)
	copy(sb[16:], id)
	copy(sb[32:], "host:root")
	le.PutUint64(sb[144:], uint64(offset/512))
	sum := uint64(0)
	for i := 0; i < 256; i += 4 {
		sum += uint64(le.Uint32(sb[i:]))
	}
	le.PutUint32(sb[216:], uint32(sum>>32)+uint32(sum))
	return b
}

func TestRAID(t *testing.T) {
	for version, label := range map[string]string{"0.90": "", "1.0": "host:root", "1.1": "host:root", "1.2": "host:root"} {
		// The members of a mirror may begin with the file system that is on it.
		content := raid(2<<20+12345, version)
		if version != "1.1" {
			copy(content, ext(0x3c, 0x42, 0x3)[:2048])
		}
		got, err := ReadFileSystem(bytes.NewReader(content), int64(len(content)))
		if diff := cmp.Diff(FileSystem{"linux_raid_member", label, testUUID}, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", version, err, diff)
		}
		// The superblock of a partition, seen from the disk.
		disk := append(make([]byte, 1<<20), content...)
		disk[510], disk[511] = 0x55, 0xaa
		if got, err := ReadFileSystem(bytes.NewReader(disk), int64(len(disk))); got.Type != "" || err != nil {
			t.Errorf("%s in a partition: %v, %v", version, got, err)
		}
	}
}

// TestBcachefs has the fields of struct bch_sb (fs/bcachefs/bcachefs_format.h).
func TestBcachefs(t *testing.T) {
	content := make([]byte, 8192)
	sb := content[4096:]
	copy(sb[24:], "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef")
	copy(sb[56:], "\x6a\x1c\x2f\x0e\x5b\x3d\x4e\x7f\x8a\x90\x01\x23\x45\x67\x89\xab")
	copy(sb[72:], "guestroot")
	got, err := ReadFileSystem(bytes.NewReader(content), 8192)
	if diff := cmp.Diff(FileSystem{"bcachefs", "guestroot", testUUID}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A swap space of a machine with larger pages, and one with a suspended system.
func TestSwap(t *testing.T) {
	small := beginning(t, "swap")[:4096]
	large := append(slices.Clone(small), make([]byte, 60<<10)...)
	copy(large[4086:], make([]byte, 10))
	copy(large[len(large)-10:], "SWAPSPACE2")
	suspended := slices.Clone(small)
	copy(suspended[4086:], "S1SUSPEND\x00")
	for want, content := range map[string][]byte{"swap": large, "swsuspend": suspended} {
		got, err := ReadFileSystem(bytes.NewReader(content), int64(len(content)))
		if diff := cmp.Diff(FileSystem{want, "guestroot", testUUID}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// A drive that cannot read its last blocks still has a file system.
func TestUnreadableEnd(t *testing.T) {
	content := ext(0x3c, 0x42, 0x3)
	for _, size := range []int64{int64(len(content)), 1 << 30, 1<<63 - 1} {
		if got, err := ReadFileSystem(failsAfter(content), size); got.Type != "ext4" || err != nil {
			t.Errorf("%d bytes: %v, %v", size, got, err)
		}
	}
	if _, err := ReadFileSystem(failsAfter(nil), 4096); err == nil {
		t.Error("nothing can be read: no error")
	}
}

// failsAfter is a device that can only be read at the beginning.
type failsAfter []byte

func (d failsAfter) ReadAt(b []byte, offset int64) (int, error) {
	if offset > 0 || len(d) == 0 {
		return 0, os.ErrInvalid
	}
	return bytes.NewReader(d).ReadAt(b, offset)
}

// FuzzReadFileSystem checks that labels and UUIDs are bounded whatever a device has.
func FuzzReadFileSystem(f *testing.F) {
	f.Add(ext(0x3c, 0x42, 0x3), int64(4096))
	f.Add([]byte("hsqs"), int64(4096))
	erofs := make([]byte, 4096)
	binary.LittleEndian.PutUint32(erofs[1024:], 0xe0f5e1e2)
	erofs[1036] = 12
	f.Add(erofs, int64(4096))
	for _, device := range devices {
		if content := beginning(f, device.name); len(content) <= 128<<10 {
			f.Add(content, device.size)
		}
	}
	f.Add(raid(128<<10, "0.90"), int64(128<<10))
	f.Add(raid(128<<10, "1.2"), int64(128<<10))
	f.Fuzz(func(t *testing.T, content []byte, size int64) {
		if size < 0 {
			return
		}
		fs, err := ReadFileSystem(bytes.NewReader(content), size)
		if err != nil || fs.Type == "" && fs != (FileSystem{}) {
			t.Errorf("%+v, %v", fs, err)
		}
		if len(fs.Label) > 512*3 || len(fs.UUID) > 40 {
			t.Errorf("%+v", fs)
		}
	})
}
