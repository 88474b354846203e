package glob

import "testing"

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		dir, want     bool
	}{
		{"/etc/passwd", "/etc/passwd", false, true},
		{"/etc", "/etc", true, true},
		{"/etc/", "/etc", true, true},
		{"/etc", "/etc/passwd", false, false},
		{"/usr/bin/*", "/usr/bin/ls", false, true},
		{"/usr/bin/*", "/usr/bin", true, false},
		{"/usr/bin/*", "/usr/bin/a/b", false, false},
		{"/usr/bin/*", "/usr/bin/directory", true, false},
		{"/usr/**", "/usr/bin/a/b", false, true},
		{"/usr/**", "/usr/bin", true, false},
		{"/usr/**/", "/usr/bin", true, true},
		{"/usr/**/", "/usr/bin/ls", false, false},
		{"/**/*.so", "/usr/lib/a.so", false, true},
		{"/**.so", "/a.so", false, true},
		{"/a.c", "/abc", false, false},
		{"/a?c", "/abc", false, true},
		{"/a?c", "/a/c", false, false},
		{"/[ab]", "/b", false, true},
		{"/[a-c]x", "/bx", false, true},
		{"/[!a-c]x", "/bx", false, false},
		{"/[!a-c]x", "/dx", false, true},
		{"/a[!b]c", "/a/c", false, false},
		{"/[-x]", "/-", false, true},
		{"/[^x]", "/^", false, true},
		{"/[^x]", "/y", false, false},
		{"/[.]x", "/ax", false, false},
		{"/*\n*", "/a\nb", false, true},
		{"/*(", "/a(", false, true},
	} {
		g, err := Parse(test.pattern)
		if err != nil {
			t.Errorf("Parse(%q): %v", test.pattern, err)
			continue
		}
		if got := g.Match(test.path, test.dir); got != test.want {
			t.Errorf("%q on %q, directory %v: got %v, want %v", test.pattern, test.path, test.dir, got, test.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"etc/*": `"etc/*" is not absolute: write "/etc/*"`,
		"/[a":   `"/[a": a [ without its ]`,
		"/[]":   `"/[]": an empty set`,
		"/[!]":  `"/[!]": an empty set`,
	} {
		if _, err := Parse(pattern); err == nil || err.Error() != want {
			t.Errorf("Parse(%q): got %v, want %s", pattern, err, want)
		}
	}
	if _, err := Parse("/[z-a]"); err == nil {
		t.Error("a range that ends before it begins is not an error")
	}
}
