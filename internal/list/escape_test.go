package list_test

import (
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

func TestEscape(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"/plain", "/plain"},
		{"a b", `a\040b`},
		{"\t\n\v\f\r ", `\011\012\013\014\015\040`},
		{`\`, `\`},
		{`a\b`, `a\b`},
		{`\04`, `\04`},
		{`\400`, `\400`},
		{`\048`, `\048`},
		{`\040`, `\134040`},
		{`\377`, `\134377`},
		{`\\040`, `\\134040`},
		{"\\ 40", `\\04040`},
		{"é\xff", "é\xff"},
		{"\u00a0", "\u00a0"}, // white space to Unicode, not to the C locale
	}
	for _, test := range tests {
		if got := list.Escape(test.text); got != test.want {
			t.Errorf("Escape(%q) = %q, want %q", test.text, got, test.want)
		}
		if got, err := list.Unescape(test.want); err != nil || got != test.text {
			t.Errorf("Unescape(%q) = %q, %v, want %q", test.want, got, err, test.text)
		}
	}
}

func TestUnescape(t *testing.T) {
	tests := []struct{ field, want, wantErr string }{
		{`\141\142`, "ab", ""},
		{`\001\377`, "\x01\xff", ""},
		{`\0400`, " 0", ""},
		{`x\`, `x\`, ""},
		{`x\04`, `x\04`, ""},
		{`\x41`, `\x41`, ""},
		{`\n`, `\n`, ""},
		{`\477`, `\477`, ""},
		// Nothing is undone twice.
		{`\134040`, `\040`, ""},
		{`a\000`, "", `\000 is not possible: a path has no NUL in it`},
	}
	for _, test := range tests {
		if got, err := list.Unescape(test.field); got != test.want || message(err) != test.wantErr {
			t.Errorf("Unescape(%q) = %q, %q, want %q, %q", test.field, got, message(err), test.want, test.wantErr)
		}
	}
}

// FuzzEscape: an escaped text is one field, and comes back as it was.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "a b", `\040`, `\\040`, "\\ 40", `\0`, "\r\n", "\xff\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		field := list.Escape(text)
		if strings.ContainsAny(field, " \t\n\v\f\r") {
			t.Errorf("Escape(%q) = %q, which has white space", text, field)
		}
		if got, err := list.Unescape(field); err != nil || got != text {
			t.Errorf("Unescape(Escape(%q)) = Unescape(%q) = %q, %v", text, field, got, err)
		}
		// What Unescape takes from elsewhere comes back too.
		plain, err := list.Unescape(text)
		if err != nil {
			return
		}
		if got, err := list.Unescape(list.Escape(plain)); err != nil || got != plain {
			t.Errorf("Unescape(Escape(%q)) = %q, %v", plain, got, err)
		}
	})
}
