package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// kconfigTree makes a source with some Kconfig files.
func kconfigTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Kconfig":           "mainmenu \"x\"\nsource \"a/Kconfig\"\n",
		"a/Kconfig.debug":   "config DEEP\n\tbool \"deep\"\n\tdepends on NET && PCI\n\tdepends on !UML\n\thelp\n\t  depends on nothing\n\nconfig OTHER\n\tdepends on X || (Y && Z)\n",
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
	got := Values{"CONFIG_GOOD": "y", "CONFIG_SELECTED": "y", "CONFIG_STRING": `"b"`, "CONFIG_PCI": "y", "CONFIG_UML": "y"}
	messages := map[string]string{}
	for _, test := range []struct {
		name, wanted string
		want         []string // the beginnings of the lines
	}{
		{"as wanted", "CONFIG_GOOD=y\n# CONFIG_ABSENT is not set\nCONFIG_EMPTY=\"\"\n", nil},
		{"depends", "\nCONFIG_DEEP=y", []string{"f:2: CONFIG_DEEP: "}},
		{"depends on an expression", "CONFIG_OTHER=y", []string{"f:1: CONFIG_OTHER: "}},
		{"unknown", "CONFIG_NONE=m", []string{"f:1: CONFIG_NONE: "}},
		{"of another architecture", "CONFIG_MIPS_ONLY=y", []string{"f:1: CONFIG_MIPS_ONLY: "}},
		{"selected", "# CONFIG_SELECTED is not set", []string{"f:1: CONFIG_SELECTED: "}},
		{"built in", "CONFIG_SELECTED=m", []string{"f:1: CONFIG_SELECTED: "}},
		{"two", "CONFIG_STRING=\"a\"\nCONFIG_NONE=3", []string{"f:1: CONFIG_STRING: ", "f:2: CONFIG_NONE: "}},
	} {
		wanted, err := Parse("f", test.wanted)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		if err := Check(got, wanted, find); err != nil {
			messages[test.name] = err.Error()
			lines = strings.Split(err.Error(), "\n")
		}
		if !slices.EqualFunc(lines, test.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", test.name, lines, test.want)
		}
	}
	golden.Messages(t, "TestCheck.txt", messages)
}

// A later fragment replaces the value of an earlier one, which need not survive.
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
	messages := map[string]string{}
	for _, test := range []struct {
		name   string
		values Values
		codecs []string
		filter []string
		want   []string // options, in the lines
	}{
		{"all", kernel, []string{"none", "gzip"}, nil, nil},
		{"no codec", kernel, []string{"gzip", "zstd", "none", "zstd", "xz"}, nil, []string{"CONFIG_RD_ZSTD", "CONFIG_RD_XZ"}},
		{"no filter", Values{"CONFIG_BLK_DEV_INITRD": "y", "CONFIG_RD_XZ": "y", "CONFIG_XZ_DEC_ARM": "y"}, []string{"xz"}, []string{"arm", "x86", "x86"}, []string{"CONFIG_XZ_DEC_X86"}},
		{"no initramfs", Values{"CONFIG_RD_GZIP": "y"}, []string{"gzip"}, nil, []string{"CONFIG_BLK_DEV_INITRD"}},
	} {
		var lines []string
		if err := test.values.Unpacks(test.codecs, test.filter); err != nil {
			messages[test.name] = err.Error()
			lines = strings.Split(err.Error(), "\n")
		}
		if !slices.EqualFunc(lines, test.want, strings.Contains) {
			t.Errorf("%s: %q, want %q", test.name, lines, test.want)
		}
	}
	golden.Messages(t, "TestUnpacks.txt", messages)
}

func TestFits(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct {
		name   string
		values Values
		size   int64
		fits   bool
	}{
		{"x86_64", Values{"CONFIG_X86_64": "y"}, 500 << 20, true},
		{"x86_64, too large", Values{"CONFIG_X86_64": "y"}, 512<<20 + 1, false},
		{"x86_64, randomized", Values{"CONFIG_X86_64": "y", "CONFIG_RANDOMIZE_BASE": "y"}, 1<<30 - 1, true},
		{"x86_64, randomized, too large", Values{"CONFIG_X86_64": "y", "CONFIG_RANDOMIZE_BASE": "y"}, 1 << 30, false},
		{"arm64", Values{"CONFIG_ARM64": "y"}, 1 << 30, true},
		{"riscv64, too large", Values{"CONFIG_RISCV": "y"}, 2 << 30, false},
	} {
		err := test.values.Fits(test.size)
		if (err == nil) != test.fits {
			t.Errorf("%s: %d bytes: error %v", test.name, test.size, err)
		}
		if err != nil {
			messages[test.name] = err.Error()
		}
	}
	golden.Messages(t, "TestFits.txt", messages)
}
