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
	"slices"
	"strings"
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
