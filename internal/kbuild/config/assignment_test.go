package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestParse(t *testing.T) {
	got, err := Parse("f", `
# A comment, and # CONFIG_IN is not a value
CONFIG_A=y
# CONFIG_B is not set
CONFIG_C="a \"b\" c"
CONFIG_D=-12`+"\r\n"+`CONFIG_E=0x1F
CONFIG_A=y
CONFIG_F=n
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Assignment{
		{"CONFIG_A", "y", "f", 3},
		{"CONFIG_B", "n", "f", 4},
		{"CONFIG_C", `"a \"b\" c"`, "f", 5},
		{"CONFIG_D", "-12", "f", 6},
		{"CONFIG_E", "0x1F", "f", 7},
		{"CONFIG_A", "y", "f", 8},
		{"CONFIG_F", "n", "f", 9},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("assignments (-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	texts := map[string]string{}
	for _, test := range []struct{ text, want string }{
		{"\nCONFIG_A", "f:2: "},
		{"A=y", "f:1: "},
		{"CONFIG_A=yes", "f:1: CONFIG_A: "},
		{"CONFIG_A=", "f:1: CONFIG_A: "},
		{`CONFIG_A="x`, "f:1: CONFIG_A: "},
		{"CONFIG_A=y\n# CONFIG_A is not set", "f:2: CONFIG_A "},
	} {
		_, err := Parse("f", test.text)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q: error %v, want %q", test.text, err, test.want)
		}
		texts[fmt.Sprintf("%q", test.text)] = fmt.Sprint(err)
	}
	golden.Messages(t, "TestParseErrors.txt", texts)
}

// The values of a .config are those of its last lines, as kbuild has it.
func TestParseValues(t *testing.T) {
	got, err := ParseValues("f", "CONFIG_A=y\n# CONFIG_B is not set\n# CONFIG_C=y\nCONFIG_A=m\n")
	if diff := cmp.Diff(Values{"CONFIG_A": "m", "CONFIG_B": "n"}, got); err != nil || diff != "" {
		t.Errorf("%v, values (-want +got):\n%s", err, diff)
	}
	if got, err := ParseValues("f", "CONFIG_A=y\nA"); err == nil || !got.On("CONFIG_A") {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"x\"\n")
	f.Add("CONFIG_A=\x00")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse("f", text)
		if err != nil {
			return
		}
		var written strings.Builder
		for _, a := range all {
			written.WriteString(a.String() + "\n")
		}
		again, err := Parse("f", written.String())
		if err != nil {
			t.Fatalf("%q was written and is not read: %v", written.String(), err)
		}
		for i := range again {
			again[i].Line = all[i].Line
		}
		if diff := cmp.Diff(all, again); diff != "" {
			t.Errorf("what was written (-want +got):\n%s", diff)
		}
	})
}
