// Package refused_test gives a real kernel's source what it does not take.
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
	for _, test := range []struct {
		name, option, content string
		args                  []string
		want                  string
	}{
		{"an option whose dependency is off", "fragment", "CONFIG_EXPERT=y\nCONFIG_NFS_V4=m\n", nil,
			`(?m)^kernel: .*/given:2: CONFIG_NFS_V4: wanted m, got n: it depends on NFS_FS \(fs/nfs/Kconfig\): add what is off of it$`},
		{"an option that there is not", "fragment", "CONFIG_NO_SUCH_OPTION=y\n", nil,
			`(?m)^kernel: .*/given:1: CONFIG_NO_SUCH_OPTION: wanted y, got n: this kernel has no such option$`},
		{"an option that another one selects", "fragment", "# CONFIG_HAVE_KERNEL_GZIP is not set\n", nil,
			`(?m)^kernel: .*/given:1: CONFIG_HAVE_KERNEL_GZIP: wanted n, got y: another option selects it`},
		{"a configuration that there is not", "fragment", "", []string{"--defconfig=tiny"},
			`(?m)^kernel: config: this kernel has no tiny for x86_64: want defconfig, tinyconfig, .*one of arch/x86/configs, or a file$`},
		{"a patch that does not apply", "patch", "--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-no such line\n+another\n", nil,
			`(?m)^kernel: .*/given does not apply: `},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			given := filepath.Join(dir, "given")
			if err := os.WriteFile(given, []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
			args := []string{"compile", "--arch=x86_64", "--source=" + source, "--work=" + dir, "--image=" + filepath.Join(dir, "image"), "--" + test.option + "=" + given}
			if test.args == nil {
				test.args = []string{"--defconfig=tinyconfig"}
			}
			out, err := exec.Command(program, append(args, test.args...)...).CombinedOutput()
			if err == nil || !regexp.MustCompile(test.want).Match(out) {
				t.Errorf("%v, and it said:\n%s\nwant %s", err, out, test.want)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
