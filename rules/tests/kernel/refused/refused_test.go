// Package refused_test requests values that the configuration of a real kernel cannot have.
package refused_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/kernel/kerneltest"
)

func TestRefused(t *testing.T) {
	program, source := kerneltest.Locate(t, "KERNEL"), kerneltest.Locate(t, "LINUX_SOURCE")
	dir := t.TempDir()
	fragment := filepath.Join(dir, "fragment")
	content := "CONFIG_EXPERT=y\nCONFIG_NFS_V4=m\nCONFIG_NO_SUCH_OPTION=y\n# CONFIG_HAVE_KERNEL_GZIP is not set\nCONFIG_RUST=y\nCONFIG_HZ_100=y\nCONFIG_HZ_300=y\n"
	if err := os.WriteFile(fragment, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "compile", "--arch=x86_64", "--source="+source, "--work="+dir, "--image="+filepath.Join(dir, "image"),
		"--fragment="+fragment, "--defconfig=tinyconfig").CombinedOutput()
	if err == nil {
		t.Error("no error")
	}
	for _, want := range []string{
		`fragment:2: CONFIG_NFS_V4: wanted m, got n: .*NFS_FS \(fs/nfs/Kconfig\): enable NFS_FS .*`,
		`fragment:3: CONFIG_NO_SUCH_OPTION: wanted y, got n: .*`,
		`fragment:4: CONFIG_HAVE_KERNEL_GZIP: wanted n, got y: .*selects.*`,
		`fragment:5: CONFIG_RUST: wanted y, got n: .*rustc.*`,
		`fragment:[67]: CONFIG_HZ_[13]00: wanted y, got n: .*choice.*`,
	} {
		if !regexp.MustCompile(`(?m)^kernel: (/.*/)?` + want + `$`).Match(out) {
			t.Errorf("it printed:\n%s\nwant a line %s", out, want)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}
