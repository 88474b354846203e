package lint

import (
	"os"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

func TestZZProf(t *testing.T) {
	f, err := os.Open(os.Getenv("ZZ"))
	if err != nil {
		t.Skip()
	}
	Run(rootfs.NewReader(f), Options{}, func(Finding) error { return nil })
}
