package config

import (
	"os"
	"path/filepath"
	"testing"
)

// A source with the options that the test wants.
func kconfigTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Kconfig":           "mainmenu \"x\"\nsource \"a/Kconfig\"\n",
		"a/Kconfig.debug":   "config DEEP\n\tbool \"deep\"\n\tdepends on NET && PCI\n\tdepends on !UML\n\thelp\n\t  depends on nothing\n\nconfig OTHER\n\tdepends on X\n",
		"arch/x86/Kconfig":  "menuconfig SELECTED\n\tdef_bool y\n",
		"arch/mips/Kconfig": "config MIPS_ONLY\n\tbool\n",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCheck(t *testing.T) {
	dir := kconfigTree(t)
	find := func(symbol string) *Option { return FindOption(dir, "x86", symbol) }
	got := Values{"CONFIG_GOOD": "y", "CONFIG_SELECTED": "y", "CONFIG_STRING": `"b"`}
	for _, test := range []struct{ wanted, want string }{
		{"CONFIG_GOOD=y\n# CONFIG_ABSENT is not set\nCONFIG_EMPTY=\"\"\n", ""},
		{"\nCONFIG_DEEP=y", "f:2: CONFIG_DEEP: wanted y, got n: it depends on NET && PCI && !UML (a/Kconfig.debug): add what is off of it"},
		{"CONFIG_NONE=m", "f:1: CONFIG_NONE: wanted m, got n: this kernel has no such option"},
		{"CONFIG_MIPS_ONLY=y", "f:1: CONFIG_MIPS_ONLY: wanted y, got n: this kernel has no such option"},
		{"# CONFIG_SELECTED is not set", "f:1: CONFIG_SELECTED: wanted n, got y: another option selects it: turn that one off (make menuconfig, then / and its name, tells which)"},
		{"CONFIG_SELECTED=m", "f:1: CONFIG_SELECTED: wanted m, got y: see arch/x86/Kconfig for what it takes, and add that"},
		{"CONFIG_STRING=\"a\"\nCONFIG_NONE=3", "f:1: CONFIG_STRING: wanted \"a\", got \"b\": this kernel has no such option\nf:2: CONFIG_NONE: wanted 3, got n: this kernel has no such option"},
	} {
		wanted, err := Parse("f", test.wanted)
		if err != nil {
			t.Fatal(err)
		}
		message := ""
		if err := Check(got, wanted, find); err != nil {
			message = err.Error()
		}
		if message != test.want {
			t.Errorf("%q:\n%s\nwant:\n%s", test.wanted, message, test.want)
		}
	}
}

// A later fragment replaces an earlier one's value: that one need not survive.
func TestCheckLastWins(t *testing.T) {
	wanted := []Assignment{{"CONFIG_A", "n", "f", 1}, {"CONFIG_A", "y", "g", 1}}
	if err := Check(Values{"CONFIG_A": "y"}, wanted, nil); err != nil {
		t.Error(err)
	}
	if err := Check(Values{}, wanted, nil); err == nil {
		t.Error("no error for the last value")
	}
}

func TestUnpacks(t *testing.T) {
	kernel := Values{"CONFIG_BLK_DEV_INITRD": "y", "CONFIG_RD_GZIP": "y"}
	for _, test := range []struct {
		values Values
		codecs []string
		want   string
	}{
		{kernel, []string{"none", "gzip"}, ""},
		{kernel, []string{"gzip", "zstd", "none", "zstd", "xz"}, "the kernel does not decompress zstd, which the archive is compressed with: add CONFIG_RD_ZSTD=y to a fragment of its kernel_build\n" +
			"the kernel does not decompress xz, which the archive is compressed with: add CONFIG_RD_XZ=y to a fragment of its kernel_build"},
		{Values{"CONFIG_RD_GZIP": "y"}, []string{"gzip"}, "the kernel has no initramfs at all: add CONFIG_BLK_DEV_INITRD=y to a fragment of its kernel_build"},
	} {
		message := ""
		if err := test.values.Unpacks(test.codecs); err != nil {
			message = err.Error()
		}
		if message != test.want {
			t.Errorf("%v: %q, want %q", test.codecs, message, test.want)
		}
	}
}

func TestFits(t *testing.T) {
	for _, test := range []struct {
		values Values
		size   int64
		want   string
	}{
		{Values{"CONFIG_X86_64": "y"}, 500 << 20, ""},
		{Values{"CONFIG_X86_64": "y"}, 512<<20 + 1, "the archive takes 513 MiB, and the whole image of this kernel has room for 512 MiB: " +
			"give it to the boot loader beside the kernel, or add CONFIG_RANDOMIZE_BASE=y to a fragment of its kernel_build, for room for 1024 MiB"},
		{Values{"CONFIG_X86_64": "y", "CONFIG_RANDOMIZE_BASE": "y"}, 1 << 30, "the archive takes 1024 MiB, and the whole image of this kernel has room for 1024 MiB: " +
			"give it to the boot loader beside the kernel"},
		{Values{"CONFIG_ARM64": "y"}, 1 << 30, ""},
		{Values{"CONFIG_RISCV": "y"}, 2 << 30, "the archive takes 2048 MiB, and the whole image of this kernel has room for 2048 MiB: " +
			"give it to the boot loader beside the kernel"},
	} {
		message := ""
		if err := test.values.Fits(test.size); err != nil {
			message = err.Error()
		}
		if message != test.want {
			t.Errorf("%v, %d bytes: %q, want %q", test.values, test.size, message, test.want)
		}
	}
}
