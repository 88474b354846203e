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
		"Kconfig":          "mainmenu \"x\"\nsource \"a/Kconfig\"\n",
		"a/Kconfig.debug":  "config DEEP\n\tbool \"deep\"\n\tdepends on NET && PCI\n\tdepends on !UML\n\thelp\n\t  depends on nothing\n\nconfig OTHER\n\tdepends on X || (Y && Z)\n",
		"arch/x86/Kconfig": "menuconfig SELECTED\n\tdef_bool y\n",
		// As in kernel/Kconfig.hz.
		"kernel/Kconfig.hz": "choice\n\tprompt \"Timer frequency\"\n\n\tconfig HZ_100\n\t\tbool \"100 HZ\"\n\thelp\n\t  See also\n\t  config HZ_1000\n\n\t  for more.\n\n\tconfig HZ_250\n\t\tbool \"250 HZ\" if !TICKLESS\n\t\tdepends on \\\n\t\t  TIMERS\nendchoice\n\nconfig HZ\n\tint\n\tdefault 100 if HZ_100\n",
		// As in init/Kconfig and lib/Kconfig.debug.
		"init/Kconfig": "config PAHOLE_VERSION\n\tint\n\tdefault \"$(shell,$(srctree)/scripts/pahole-version.sh $(PAHOLE))\"\n\n" +
			"config RUST_IS_AVAILABLE\n\tdef_bool $(success,$(srctree)/scripts/rust_is_available.sh)\n\n" +
			"config RUST\n\tbool \"Rust support\"\n\tdepends on RUST_IS_AVAILABLE\n\tdepends on !MODVERSIONS\n\n" +
			"config BTF\n\tbool \"BTF\"\n\tdepends on BPF && !SPLIT\n\tdepends on PAHOLE_VERSION >= 121\n\n" +
			"config CC_CAN\n\tdef_bool $(cc-option,-fcan)\n\nconfig USES_CC\n\tbool \"x\" # with a comment\n\tdepends on CC_CAN # and here\n\n" +
			"config NUMBER\n\tint \"number\"\n\nconfig MANY\n\tbool \"x\"\n\tdepends on (GOOD && !(NUMBER < 5)) && (HIDDEN || STRING = \"a\" || !PCI || !UML) # one of many\n\n" +
			"config HIDDEN\n\tbool\n\tselect GOOD\n",
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
	kconfig := func() Kconfig { return ReadKconfig(dir, "x86") }
	got := Values{"CONFIG_GOOD": "y", "CONFIG_SELECTED": "y", "CONFIG_STRING": `"b"`, "CONFIG_PCI": "y", "CONFIG_UML": "y",
		"CONFIG_HZ": "100", "CONFIG_HZ_100": "y", "CONFIG_BPF": "y", "CONFIG_PAHOLE_VERSION": "0"}
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
		{"in a choice", "CONFIG_HZ_250=y", []string{"f:1: CONFIG_HZ_250: "}},
		{"the one that a choice takes", "# CONFIG_HZ_100 is not set", []string{"f:1: CONFIG_HZ_100: "}},
		{"only in a help text", "CONFIG_HZ_1000=y", []string{"f:1: CONFIG_HZ_1000: "}},
		{"without a prompt", "CONFIG_HZ=250", []string{"f:1: CONFIG_HZ: "}},
		{"without a prompt or default", "CONFIG_HIDDEN=y", []string{"f:1: CONFIG_HIDDEN: "}},
		{"Rust", "CONFIG_RUST=y", []string{"f:1: CONFIG_RUST: "}},
		{"BTF", "CONFIG_BTF=y", []string{"f:1: CONFIG_BTF: "}},
		{"an expression", "CONFIG_MANY=y", []string{"f:1: CONFIG_MANY: "}},
		{"a probe", "CONFIG_RUST_IS_AVAILABLE=y", []string{"f:1: CONFIG_RUST_IS_AVAILABLE: "}},
		{"the compiler", "CONFIG_USES_CC=y", []string{"f:1: CONFIG_USES_CC: "}},
		{"two", "CONFIG_STRING=\"a\"\nCONFIG_NONE=3", []string{"f:1: CONFIG_STRING: ", "f:2: CONFIG_NONE: "}},
	} {
		wanted, err := Parse("f", test.wanted)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		if err := Check(got, wanted, kconfig); err != nil {
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
	nothing := func() Kconfig { return nil }
	wanted := []Assignment{{"CONFIG_A", "n", "f", 1}, {"CONFIG_A", "y", "g", 1}}
	if err := Check(Values{"CONFIG_A": "y"}, wanted, nothing); err != nil {
		t.Error(err)
	}
	if err := Check(Values{}, wanted, nothing); err == nil {
		t.Error("no error for the last value")
	}
}

func TestUnmet(t *testing.T) {
	got := Values{"CONFIG_A": "y", "CONFIG_M": "m", "CONFIG_N": "7", "CONFIG_HEX": "0x10", "CONFIG_S": `"text"`}
	for text, want := range map[string][]need{
		"A":                        nil,
		"M && A":                   nil,
		"B":                        {{symbol: "B"}},
		"!A":                       {{symbol: "A", off: true}},
		"!!B":                      {{symbol: "B"}},
		"A && B && C":              {{symbol: "B"}, {symbol: "C"}},
		"B || A && C || M":         nil,
		"B && C || D":              {{symbol: "D"}},
		"!(A && M)":                {{symbol: "A", off: true}},
		"!(B || A)":                {{symbol: "A", off: true}},
		"N >= 8":                   {{symbol: "N", limit: ">= 8"}},
		"N>=7 && N<10 && HEX = 16": nil,
		"!(N > 6)":                 {{symbol: "N", limit: "<= 6"}},
		`S = "text" && S != other`: nil,
		"ABSENT >= 1":              {{symbol: "ABSENT", limit: ">= 1"}},
		"$(success,test -e $(shell,$(CC) -p)/x && false) && B": {{symbol: "B"}},
		"":      nil,
		"(A &&": nil,
		")(":    nil,
	} {
		if needs := got.unmet(text); !slices.Equal(needs, want) {
			t.Errorf("%q: %v, want %v", text, needs, want)
		}
	}
}

func FuzzUnmet(f *testing.F) {
	f.Add("A && !(B || N >= 3) || $(success,x)")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 1000 {
			Values{"CONFIG_A": "y", "CONFIG_N": "7"}.unmet(text)
		}
	})
}

// A whole configuration may have values that cannot be set, but a typo in it is found.
func TestLost(t *testing.T) {
	whole, err := Parse("f", "CONFIG_HZ=250\nCONFIG_GOOOD=y\nCONFIG_DEEP=y\n# CONFIG_OLD is not set\nCONFIG_GOOD=y\n")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, err := range Lost(Values{"CONFIG_HZ": "100", "CONFIG_GOOD": "y"}, whole, ReadKconfig(kconfigTree(t), "x86")) {
		lines = append(lines, err.Error())
	}
	want := []string{"f:2: CONFIG_GOOOD: ", "f:3: CONFIG_DEEP: "}
	if !slices.EqualFunc(lines, want, strings.HasPrefix) {
		t.Errorf("%q, want %q", lines, want)
	}
}

func TestCheckFiles(t *testing.T) {
	dir := kconfigTree(t)
	messages := map[string]string{}
	for name, test := range map[string]struct {
		values  Values
		symbols []string
	}{
		"none":      {Values{"CONFIG_SYSTEM_TRUSTED_KEYS": `""`, "CONFIG_MODULE_SIG_KEY": `""`}, nil},
		"there":     {Values{"CONFIG_SYSTEM_TRUSTED_KEYS": `"Kconfig"`, "CONFIG_MODULE_SIG_KEY": `"Kconfig"`}, nil},
		"of Debian": {Values{"CONFIG_SYSTEM_TRUSTED_KEYS": `"debian/certs/debian-uefi-certs.pem"`, "CONFIG_MODULE_SIG_KEY": `"k.pem"`}, []string{"CONFIG_SYSTEM_TRUSTED_KEYS=", "CONFIG_MODULE_SIG_KEY="}},
	} {
		var lines []string
		if err := CheckFiles(test.values, dir); err != nil {
			messages[name] = err.Error()
			lines = strings.Split(err.Error(), "\n")
		}
		if !slices.EqualFunc(lines, test.symbols, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", name, lines, test.symbols)
		}
	}
	golden.Messages(t, "TestCheckFiles.txt", messages)
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
