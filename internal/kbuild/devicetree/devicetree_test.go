package devicetree

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
)

// TestFiles has the shapes that a kernel's source has: links to directories of other
// architectures, and links among headers.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{
		"arch/arm/boot/dts/broadcom/b.dts":               "",
		"arch/arm64/boot/dts/broadcom/a.dtsi":            "",
		"arch/arm64/boot/dts/broadcom/Makefile":          "",
		"arch/arm64/kernel/setup.c":                      "",
		"include/dt-bindings/input/codes.h":              "../../uapi/linux/input-event-codes.h",
		"include/dt-bindings/input/outside.h":            "/etc/passwd",
		"include/dt-bindings/gpio/gpio.h":                "",
		"include/uapi/linux/input-event-codes.h":         "",
		"include/uapi/linux/input.h":                     "",
		"scripts/dtc/dtc":                                "",
		"scripts/dtc/dtc.c":                              "",
		"scripts/dtc/include-prefixes/arm64":             "../../../arch/arm64/boot/dts",
		"scripts/dtc/include-prefixes/nonesuch":          "../../../arch/nonesuch/boot/dts",
		"tools/testing/selftests/dt/some-other-file.dts": "",
	} {
		name = filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if target != "" {
			err = errors.Join(err, os.Symlink(target, name))
		} else {
			err = errors.Join(err, os.WriteFile(name, nil, 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := Files(&kbuild.Build{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"arch/arm/boot/dts/broadcom/b.dts",
		"arch/arm64/boot/dts/broadcom/a.dtsi",
		"include/dt-bindings/gpio/gpio.h",
		"include/dt-bindings/input/codes.h",
		"include/dt-bindings/input/outside.h",
		"include/uapi/linux/input-event-codes.h",
		"scripts/dtc/dtc",
		"scripts/dtc/include-prefixes/arm64",
		"scripts/dtc/include-prefixes/nonesuch",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, name := range want {
		if !Keep(name) && name != "scripts/dtc/dtc" {
			t.Errorf("%s is not unpacked", name)
		}
	}
	if Keep("arch/arm64/kernel/setup.c") {
		t.Error("the code of the kernel is unpacked")
	}
}
