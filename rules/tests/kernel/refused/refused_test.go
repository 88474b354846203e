// Package refused_test asks a real kernel's configuration for what it does not give.
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
	fragment := filepath.Join(dir, "given")
	content := "CONFIG_EXPERT=y\nCONFIG_NFS_V4=m\nCONFIG_NO_SUCH_OPTION=y\n# CONFIG_HAVE_KERNEL_GZIP is not set\n"
	if err := os.WriteFile(fragment, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "compile", "--arch=x86_64", "--source="+source, "--work="+dir, "--image="+filepath.Join(dir, "image"),
		"--fragment="+fragment, "--defconfig=tinyconfig").CombinedOutput()
	if err == nil {
		t.Error("no error")
	}
	for _, want := range []string{
		`given:2: CONFIG_NFS_V4: wanted m, got n: it depends on NFS_FS \(fs/nfs/Kconfig\): add what is off of it`,
		`given:3: CONFIG_NO_SUCH_OPTION: wanted y, got n: this kernel has no such option`,
		`given:4: CONFIG_HAVE_KERNEL_GZIP: wanted n, got y: another option selects it: turn that one off \(make menuconfig, then / and its name, tells which\)`,
	} {
		if !regexp.MustCompile(`(?m)^kernel: (/.*/)?` + want + `$`).Match(out) {
			t.Errorf("it said:\n%s\nwant a line %s", out, want)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
