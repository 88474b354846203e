package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const stderr = "packer: //a:b: /c is given twice\npacker: //a:b: mode: 0855\n"
	both := [][]string{{"//a:b: ", "/c"}, {"//a:b: mode: ", "0855"}}
	for name, test := range map[string]struct {
		stderr string
		want   [][]string
		says   string // a part of the error; empty if there is none
	}{
		"as expected":        {stderr, both, ""},
		"an error less":      {stderr, append(both, []string{"//a:b"}), "got 2 errors, want 3"},
		"an error more":      {stderr, both[:1], "got 2 errors, want 1"},
		"nothing":            {"", both[:1], "error 1"},
		"another label":      {stderr, [][]string{both[0], {"//a:c"}}, "error 2"},
		"another word":       {stderr, [][]string{{"//a:b", "/d"}, both[1]}, "error 1"},
		"nothing to look at": {stderr, [][]string{both[0], {}}, "error 2"},
	} {
		t.Run(name, func(t *testing.T) {
			err := check("packer", test.stderr, test.want)
			if test.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want an error with %q", err, test.says)
			}
		})
	}
}
