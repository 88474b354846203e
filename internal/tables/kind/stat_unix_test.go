//go:build unix

package kind

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// The bits are those of this system's stat(2).
func TestStat(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("x", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Kind{dir: Dir, filepath.Join(dir, "link"): Symlink, "/dev/null": Node} {
		info, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		mode := uint32(info.Sys().(*syscall.Stat_t).Mode)
		if got := TypeOf(mode); got.Kind != want || got.Bits != mode&cpio.TypeMask {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
