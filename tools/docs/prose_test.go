//prose:off because this file has the words that others must not have.

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// found is a finding without its suggestion.
var found = regexp.MustCompile(`^([^ ]*): ("[^"]*"): `)

func TestCheckProse(t *testing.T) {
	for _, test := range []struct{ name, file, text, want string }{
		{"a page", "a.md", "# Title\n\nA folder behind it.\n", `a.md:3: "behind" a.md:3: "folder"`},
		{"code in a page", "a.md", "`folder`\n\n    folder\n\n```\nfolder\n```\n[x](folder.md)\n", ""},
		{"capitals", "a.md", "Folders.\n", `a.md:1: "Folders"`},
		{"across lines", "a.md", "It\nis\nno file.\n\nIt is\n\nno file.\n", `a.md:2: "is no"`},
		{"across lines of a comment", "a.go", "package a\n\n// It is\n// no file.\nvar x = \"it is\" +\n\t\" no file\"\n", `a.go:3: "is no" a.go:5: "is no"`},
		{"several on a line", "a.go", "package a\n\nfunc a() { b(\"it is\", \"no file\") }\n", ""},
		{"part of a word", "a.md", "default, behindhand\n", ""},
		{"an exception", "a.md", "A page fault is no longer a fault.\n", `a.md:1: "fault"`},
		{"for", "a.md", "Look for the end, for it is near.\n", `a.md:1: ", for it"`},
		{"no", "a.md", "It is no file. There is no file.\n", `a.md:1: "is no"`},
		{"a comment in Go", "a.go", "package a\n\n// A folder.\n//\n// Anew.\nvar folder int\n", `a.go:3: "folder" a.go:5: "Anew"`},
		{"strings in Go", "a.go", "package a\n\nvar a = \"folder\" + \"a folder\" + `two\nfolders`\n", `a.go:3: "folder" a.go:4: "folders"`},
		{"Starlark", "a.bzl", "\"\"\"Doc.\n\nA folder.\n\"\"\"\nfolder = \"folder\" # anew\n", `a.bzl:3: "folder" a.bzl:5: "anew"`},
		{"a script", "run", "#!/bin/sh\n# A folder.\necho \"no folder\"\n", `run:2: "folder" run:3: "folder"`},
		{"neither a script nor a page", "LICENSE", "\"no folder\"\n", ""},
		{"generated", "a.md", "Generated: do not edit.\n\nA folder.\n", ""},
		{"another file", "a.txt", "A folder.\n", ""},
		{"test data", "testdata/a.md", "A folder.\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.MkdirAll(filepath.Dir(test.file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(test.file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			findings, err := checkProse([]string{"."})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, finding := range findings {
				match := found.FindStringSubmatch(finding)
				if match == nil {
					t.Fatalf("no suggestion in %q", finding)
				}
				got = append(got, match[1]+": "+match[2])
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
		})
	}
	if _, err := checkProse([]string{"none"}); err == nil {
		t.Error("no error for a missing path")
	}
}
