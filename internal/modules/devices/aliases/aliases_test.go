package aliases

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"*", "", true},
		{"a*", "abc", true},
		{"a*c", "abcbc", true},
		{"a*cd", "abcbc", false},
		{"a?c", "abc", true},
		{"a?", "a", false},
		{"pci:v00008086d*sv*", "pci:v00008086d00001234sv0000", true},
		{"usb:v*d00[0-9A-F][!0]*", "usb:v1d00A1x", true},
		{"usb:v*d00[0-9A-F][!0]*", "usb:v1d00A0x", false},
		{"[]a]", "]", true},
		{"[a-]", "-", true},
		{"[^a]", "b", true},
		{"[a", "[a", true},
		{"[a", "a", false},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{`a\`, "a", false},
		{`[\]]`, "]", true},
		{"a/*", "a/b/c", true},
		{strings.Repeat("*a", 50), strings.Repeat("a", 49), false},
	} {
		if got := match(test.pattern, test.name); got != test.want {
			t.Errorf("%q, %q: %v", test.pattern, test.name, got)
		}
	}
}

func TestNormalize(t *testing.T) {
	for alias, want := range map[string]string{
		"":                          "",
		"fs-ext4":                   "fs_ext4",
		"of:N*T*Cgpio-leds":         "of:N*T*Cgpio_leds",
		"usb:v13FDp3940d0[0-2]*-in": "usb:v13FDp3940d0[0-2]*_in",
		"[[-]-":                     "[[-]_",
	} {
		if got, err := Normalize(alias); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", alias, got, err, want)
		}
	}
	for _, alias := range []string{"a[b", "a]b", "[a]]", "]"} {
		if got, err := Normalize(alias); err == nil {
			t.Errorf("%q: %q", alias, got)
		}
		var s Set[string]
		if s.Add(alias, alias) == nil || s.Match(alias) != nil || Matches(alias, "a") || Matches("*", alias) {
			t.Errorf("%q is in a set", alias)
		}
	}
}

// In a set, - and _ are the same.
func TestHyphens(t *testing.T) {
	var s Set[string]
	for _, p := range []string{"platform:leds-gpio", "of:N*T*Cgpio-leds", "pnp:d[A-C]*"} {
		s.Add(p, p)
	}
	for modalias, want := range map[string]string{
		"platform:leds_gpio":           "platform:leds-gpio",
		"platform:leds-gpio":           "platform:leds-gpio",
		"of:Nled-boxT(null)Cgpio_leds": "of:N*T*Cgpio-leds",
		"pnp:dB":                       "pnp:d[A-C]*",
	} {
		if got := s.Match(modalias); len(got) != 1 || got[0] != want || !Matches(want, modalias) {
			t.Errorf("%s: %q, want %s", modalias, got, want)
		}
	}
	if got := s.Match("pnp:d-"); got != nil {
		t.Errorf("a hyphen is between A and C: %q", got)
	}
}

func TestSet(t *testing.T) {
	var s Set[string]
	if got := s.Match("of:NaT(null)Cb"); got != nil {
		t.Errorf("the empty set matches: %q", got)
	}
	patterns := []string{
		"of:N*T*Cti,tmp102", "of:N*T*Cti,tmp102C*", "of:N*T*Cmarvell,88E1510C*", "of:N*Tserial*Cns8250*",
		"of:N*T*Cti,*", "of:NfooT*", "pci:v00008086d*sv*sd*bc*sc*i*", "i2c:tmp102", "*",
	}
	for _, p := range patterns {
		if err := s.Add(p, p); err != nil {
			t.Error(err)
		}
	}
	for modalias, want := range map[string][]string{
		"of:NsT(null)Cti,tmp102":                         {"of:N*T*Cti,tmp102", "of:N*T*Cti,*", "*"},
		"of:NsT(null)Cti,tmp102Cti,lm75":                 {"of:N*T*Cti,tmp102C*", "of:N*T*Cti,*", "*"},
		"of:NsT(null)CxCti,tmp102":                       {"of:N*T*Cti,tmp102", "of:N*T*Cti,*", "*"},
		"of:NsT(null)Cti,tmp1021":                        {"of:N*T*Cti,*", "*"},
		"of:NphyT(null)Cmarvell,88E1510Cmarvell,88E1512": {"of:N*T*Cmarvell,88E1510C*", "*"},
		"of:NfooTserialCns8250":                          {"of:N*Tserial*Cns8250*", "of:NfooT*", "*"},
		"pci:v00008086d00001234sv00000000sd0bc00sc00i00": {"pci:v00008086d*sv*sd*bc*sc*i*", "*"},
		"i2c:tmp102":  {"i2c:tmp102", "*"},
		"i2c:tmp1023": {"*"},
	} {
		got := s.Match(modalias)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", modalias, diff)
		}
	}
}

// The set finds what a search of all patterns finds.
func FuzzSet(f *testing.F) {
	f.Add("of:N*T*Cti,tmp102C*\nof:N*T*C*\n[a-z]*", "of:NsT(null)Cti,tmp102Cx")
	f.Add("of:N*T*CaC\nof:N*T*C", "of:NTCaC")
	f.Fuzz(func(t *testing.T, lines, modalias string) {
		if len(modalias) > 1000 || strings.Count(modalias, "C") > maxCompatible || len(lines) > 5000 {
			return
		}
		var s Set[string]
		var want []string
		for pattern := range strings.Lines(lines) {
			pattern = strings.TrimSuffix(pattern, "\n")
			if s.Add(pattern, pattern) == nil && Matches(pattern, modalias) {
				want = append(want, pattern)
			}
		}
		got := s.Match(modalias)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", modalias, diff)
		}
	})
}
