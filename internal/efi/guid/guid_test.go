package guid

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	for _, spelling := range []string{text, strings.ToUpper(text)} {
		g, err := Parse(spelling)
		// As sfdisk writes it into the table of a disk.
		if err != nil || hex.EncodeToString(g[:]) != "28732ac11ff8d211ba4b00a0c93ec93b" || g.String() != text {
			t.Errorf("%s: %x, %s, %v", spelling, g[:], g, err)
		}
	}
	for _, bad := range []string{"", "c12a7328", strings.ReplaceAll(text, "-", ""), text + "-", "{" + text + "}", "g" + text[1:], text[1:] + "0"} {
		if g, err := Parse(bad); err == nil {
			t.Errorf("%q is %s", bad, g)
		}
	}
}

func TestFrom(t *testing.T) {
	a := From("disk", "a").String()
	if a != From("disk", "a").String() || a == From("dis", "ka").String() || a == From("disk", "b").String() {
		t.Error(a)
	}
	if a[14] != '8' || !strings.ContainsRune("89ab", rune(a[19])) {
		t.Errorf("%s is not a UUID of version 8", a)
	}
}
