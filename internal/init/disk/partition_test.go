package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
	"github.com/google/go-cmp/cmp"
)

// gpt returns a disk whose partition a kernel finds, as a boot test shows.
func gpt(t *testing.T) []byte {
	t.Helper()
	if os.Getenv("GPT") == "" {
		t.Skip("needs a disk that Bazel makes: run it with bazel test")
	}
	name, err := runfiles.Rlocation(os.Getenv("GPT"))
	if err != nil {
		t.Fatal(err)
	}
	disk, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return disk
}

func TestReadGPT(t *testing.T) {
	table, err := ReadTable(bytes.NewReader(gpt(t)), 512)
	if err != nil {
		t.Fatal(err)
	}
	want := Entry{UUID: "00112233-4455-6677-8899-aabbccddeeff", Label: "guest root"}
	if diff := cmp.Diff(want, table.Entry(1)); diff != "" {
		t.Errorf("partition 1 (-want +got):\n%s", diff)
	}
	if got := table.Entry(2); got != (Entry{}) {
		t.Errorf("partition 2: %+v", got)
	}
}

// A table with wrong checksums is ignored, as the kernel does.
func TestReadBrokenGPT(t *testing.T) {
	for _, at := range []int{510, 450, 512, 512 + 12, 512 + 16, 512 + 56, 512 + 84, 512 + 88, 1024 + 16, 1024 + 60} {
		disk := gpt(t)
		disk[at] ^= 0x40
		table, err := ReadTable(bytes.NewReader(disk), 512)
		if err != nil {
			t.Errorf("byte %d: %v", at, err)
		}
		if got := table.Entry(1).Label; got != "" {
			t.Errorf("byte %d: label %q, want none", at, got)
		}
	}
	for _, blockSize := range []int{0, 511, 4096, 1 << 20} {
		table, err := ReadTable(bytes.NewReader(gpt(t)), blockSize)
		if err != nil || table.Entry(1) != (Entry{}) {
			t.Errorf("blocks of %d: %+v, error %v", blockSize, table.Entry(1), err)
		}
	}
}

// mbr returns a disk with one partition of this type.
func mbr(partitionType byte) []byte {
	disk := make([]byte, 1024)
	binary.LittleEndian.PutUint32(disk[440:], 0xdeadbeef)
	disk[446+16+4] = partitionType
	disk[510], disk[511] = 0x55, 0xaa
	return disk
}

func TestReadMBR(t *testing.T) {
	table, err := ReadTable(bytes.NewReader(mbr(0x83)), 512)
	if err != nil {
		t.Fatal(err)
	}
	if got := table.Entry(2); got != (Entry{UUID: "deadbeef-02"}) {
		t.Errorf("partition 2: %+v", got)
	}
	if got := table.Entry(17); got != (Entry{UUID: "deadbeef-11"}) {
		t.Errorf("partition 17: %+v", got)
	}
	for name, disk := range map[string][]byte{"no partition": mbr(0), "protective MBR without a GPT": mbr(0xee), "empty": nil, "short": mbr(0x83)[:500]} {
		table, err := ReadTable(bytes.NewReader(disk), 512)
		if err != nil || table.Entry(2) != (Entry{}) {
			t.Errorf("%s: %+v, error %v", name, table.Entry(2), err)
		}
	}
}

// A brokenDisk cannot be read.
type brokenDisk struct{}

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

func TestReadFails(t *testing.T) {
	if _, err := ReadTable(brokenDisk{}, 512); err == nil {
		t.Error("no error")
	}
}

// FuzzReadTable checks that reading any disk ends and takes bounded memory.
func FuzzReadTable(f *testing.F) {
	f.Add(mbr(0x83), 512)
	huge := mbr(0xee)
	copy(huge[512:], "EFI PART\x00\x00\x01\x00\x5c\x00\x00\x00")
	binary.LittleEndian.PutUint32(huge[512+80:], 0xffffffff)
	binary.LittleEndian.PutUint32(huge[512+84:], 0xffffffff)
	f.Add(huge, 512)
	f.Fuzz(func(t *testing.T, disk []byte, blockSize int) {
		table, err := ReadTable(bytes.NewReader(disk), blockSize)
		if err != nil {
			t.Fatal(err)
		}
		for n, e := range table.byNumber {
			if n < 1 || n > maxTableSize/entryMinimum || len(e.UUID) != 36 {
				t.Fatalf("partition %d: %+v", n, e)
			}
		}
	})
}
