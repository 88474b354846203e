package main

import (
	"errors"
	"strings"
	"testing"
)

func TestGetopt(t *testing.T) {
	tests := []struct{ args, want string }{
		{"", ""},
		{"a b", "a b"},
		{"-x a -y b", "-x= -y= a b"},
		{"-xy a", "-x= -y= a"},
		{"-vone -v two", "-v=one -v=two"},
		{"-xvy a", "-x= -v=y a"},
		{"-v -x a", "-v=-x a"},
		{"a -- -x -v", "a -x -v"},
		{"- -x", "-x= -"},
		{"-z", "invalid option -- 'z'"},
		{"-:", "invalid option -- ':'"},
		{"--x", "invalid option -- '-'"},
		{"-x -v", "-x= option requires an argument -- 'v'"},
	}
	for _, test := range tests {
		var got []string
		operands, err := getopt(strings.Fields(test.args), "xv:y", func(option byte, value string) error {
			got = append(got, "-"+string(option)+"="+value)
			return nil
		})
		got = append(got, operands...)
		if err != nil {
			got = append(got, err.Error())
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("getopt(%q) = %q, want %q", test.args, got, test.want)
		}
	}
	want := errors.New("no")
	if _, err := getopt([]string{"-x", "-z"}, "x", func(byte, string) error { return want }); err != want {
		t.Errorf("getopt = %v, want %v", err, want)
	}
}
