// Package golden compares what a test produces with files in its testdata directory.
// With the flag -update, "go test" writes those files instead.
//
// Texts that are meant for people, such as error messages, are asserted here and only
// here: a test that is about something else asserts a class, a path, a label or a line
// number. Rewording a message then changes the code and one golden file.
package golden

import (
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

// Text compares got with the file testdata/NAME.
func Text(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	want, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatalf("%v: run go test with -update to write it", err)
	}
	compare(t, path, string(want), got)
}

// Table compares the rows of a table in a Markdown page with rows. The header is the
// first line of the table.
func Table(t testing.TB, path, header string, rows []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(text), header+"\n")
	separator, after, _ := strings.Cut(after, "\n")
	if !ok || !strings.HasPrefix(separator, "|--") {
		t.Fatalf("%s has no table with the header %s", path, header)
	}
	for strings.HasPrefix(after, "|") {
		_, after, _ = strings.Cut(after, "\n")
	}
	table := strings.Join(append([]string{header, separator}, rows...), "\n")
	compare(t, path, string(text), before+table+"\n"+after)
}

// compare compares the text of a file with got, or writes got.
func compare(t testing.TB, path, want, got string) {
	t.Helper()
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(got), 0o666)); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-file +got), which go test -update writes:\n%s", path, diff)
	}
}

// Messages compares texts with the file testdata/NAME, which has a heading
// "-- KEY --" before each of them, in the order of the keys.
func Messages(t testing.TB, name string, texts map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		b.WriteString("-- " + key + " --\n" + strings.TrimSuffix(texts[key], "\n") + "\n")
	}
	Text(t, name, b.String())
}

// sections guards the files of Section, because tests that run in parallel may share one.
var sections sync.Mutex

var sectionHeading = regexp.MustCompile(`(?m)^-- (Test\w+): .* --\n`)

// Section compares texts with those of the test t in the file testdata/NAME, which the
// tests of a package share. The headings are "-- TEST: KEY --". A message that several
// tests see is then in one file. With -update, the texts of other tests are kept: to
// drop those of a test that is gone, remove the file before.
func Section(t testing.TB, name string, texts map[string]string) {
	t.Helper()
	sections.Lock()
	defer sections.Unlock()
	old, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil && !(*update && os.IsNotExist(err)) {
		t.Fatalf("%v: run go test with -update to write it", err)
	}
	test, _, _ := strings.Cut(t.Name(), "/")
	byTest := map[string]string{}
	headings := sectionHeading.FindAllStringSubmatchIndex(string(old), -1)
	for i, heading := range headings {
		end := len(old)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		owner := string(old[heading[2]:heading[3]])
		byTest[owner] += string(old[heading[0]:end])
	}
	var own strings.Builder
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		own.WriteString("-- " + test + ": " + key + " --\n" + strings.TrimSuffix(texts[key], "\n") + "\n")
	}
	byTest[test] = own.String()
	var all strings.Builder
	for _, owner := range slices.Sorted(maps.Keys(byTest)) {
		all.WriteString(byTest[owner])
	}
	Text(t, name, all.String())
}
