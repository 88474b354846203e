package runner

import (
	"encoding/json"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

var samePattern = cmp.Comparer(func(a, b *regexp.Regexp) bool { return a.String() == b.String() })

func TestJSON(t *testing.T) {
	want := result{
		Label: "//x:y", Class: failure.Oops, Sentence: "oops: <&>", Arch: "arm64", Accelerator: "tcg", Elapsed: 1.5, TimeLimit: 2,
		Patterns: []console.Expectation{{Kind: "expect", Pattern: regexp.MustCompile("a"), Seen: true, At: 0.25, Line: "a"}},
		Timeline: []console.Stage{{At: 0.25, Name: "expect", Line: "a"}},
	}
	out, err := want.json()
	if err != nil {
		t.Fatal(err)
	}
	var got result
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, samePattern); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	// Fields that scripts read.
	for _, field := range []string{`"class": "oops"`, `"passed": false`, `"sentence": "oops: <&>"`, `"time_s": 0.25`, `"pattern": "a"`, `"stage": "expect"`, `"text": "a"`} {
		if !strings.Contains(string(out), field) {
			t.Errorf("no %s in\n%s", field, out)
		}
	}
}

// TestXMLOfAnyBytes has characters that XML forbids or reserves.
func TestXMLOfAnyBytes(t *testing.T) {
	r := &result{
		Label: "//x:y", Class: failure.Panic, Sentence: "panic: \x1b<&>\"",
		Patterns: []console.Expectation{{Kind: "expect", Pattern: regexp.MustCompile("\x00]]>")}},
	}
	out, err := r.xml("one\ntwo]]>\x07\xff\ufffe\n")
	if err != nil {
		t.Fatal(err)
	}
	var got xmlSuites
	if err := xml.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	s := got.Suite
	if s.Tests != 2 || s.Failures != 1 || s.Skipped != 1 {
		t.Errorf("%d tests, %d failures, %d skipped", s.Tests, s.Failures, s.Skipped)
	}
	for _, text := range []struct{ got, want string }{
		{s.Output.Text, "one\ntwo]]>\\007\\377\ufffd\n"},
		{s.Cases[0].Failure.Message, "panic: \\033<&>\""},
		{s.Cases[1].Name, "expect: \\000]]>"},
	} {
		if text.got != text.want {
			t.Errorf("%q, want %q", text.got, text.want)
		}
	}
}

func TestWriteTimeline(t *testing.T) {
	r := &result{Timeline: []console.Stage{{At: 2, Name: "c"}, {Name: "a", Line: "x"}, {Name: "b", Line: strings.Repeat("é", 100)}}}
	r.sortTimeline()
	var out strings.Builder
	r.writeTimeline(&out)
	want := "    0.0 s  a: x\n    0.0 s  b: " + strings.Repeat("é", 60) + "...\n    2.0 s  c\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}
