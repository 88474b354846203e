package source

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

// sparse makes a file of size bytes that takes no room.
func sparse(t *testing.T, name string, size int64) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Skipf("no file of %d bytes can be made here: %v", size, err)
	}
}

func TestOpenSize(t *testing.T) {
	packtest.InTree(t, nil)
	sparse(t, "greatest", 4294967295)
	sparse(t, "over", 4294967296)

	file, err := OpenLocation("greatest")
	if err != nil || file.Size != 4294967295 {
		t.Errorf("OpenLocation(greatest) = %v, %v, want 4294967295 bytes, nil", file, err)
	} else {
		file.Close()
	}

	_, err = OpenLocation("over")
	want := []string{"over has 4294967296 bytes: an archive holds files of at most 4294967295"}
	if diff := cmp.Diff(want, packtest.Messages(err)); diff != "" {
		t.Errorf("OpenLocation(over) (-want +got):\n%s", diff)
	}
}
