package runner

import "testing"

func TestShellQuote(t *testing.T) {
	for _, test := range []struct {
		argv []string
		want string
	}{
		{[]string{"qemu", "-m", "512", "-cpu", "max,pauth-impdef=on"}, "qemu -m 512 -cpu max,pauth-impdef=on"},
		{[]string{"qemu", "-append", "console=ttyS0 panic=-1"}, "qemu -append 'console=ttyS0 panic=-1'"},
		{[]string{"a'b", "", "$x", "~", "é", "a\nb"}, `'a'\''b' '' '$x' '~' 'é' 'a` + "\n" + `b'`},
	} {
		if got := shellQuote(test.argv); got != test.want {
			t.Errorf("%q: %s, want %s", test.argv, got, test.want)
		}
	}
}
