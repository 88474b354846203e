package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

var samePattern = cmp.Comparer(func(a, b *regexp.Regexp) bool { return a.String() == b.String() })

func TestJSON(t *testing.T) {
	want := Report{
		Label: "//x:y", Class: failure.Oops, Sentence: "oops: <&>", Arch: "arm64", Accelerator: "tcg", Elapsed: 1.5, TimeLimit: 2,
		Patterns: []console.Expectation{{Kind: "expect", Pattern: regexp.MustCompile("a"), Seen: true, At: 0.25, Line: "a"}},
		Timeline: []console.Stage{{At: 0.25, Name: "expect", Line: "a"}},
	}
	var out bytes.Buffer
	if err := want.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, samePattern); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	// Fields that scripts read.
	for _, field := range []string{`"class": "oops"`, `"passed": false`, `"sentence": "oops: <&>"`, `"time_s": 0.25`, `"pattern": "a"`, `"stage": "expect"`, `"text": "a"`} {
		if !strings.Contains(out.String(), field) {
			t.Errorf("no %s in\n%s", field, &out)
		}
	}
}

// TestXMLOfAnyBytes has characters that XML forbids or reserves.
func TestXMLOfAnyBytes(t *testing.T) {
	r := &Report{
		Label: "//x:y", Class: failure.Panic, Sentence: "panic: \x1b<&>\"",
		Patterns: []console.Expectation{{Kind: "expect", Pattern: regexp.MustCompile("\x00]]>")}},
	}
	var out bytes.Buffer
	if err := r.WriteXML(&out, "one\ntwo]]>\x07\xff\ufffe\n"); err != nil {
		t.Fatal(err)
	}
	var got xmlSuites
	if err := xml.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	s := got.Suite
	if s.Tests != 2 || s.Failures != 1 || s.Skipped != 1 {
		t.Errorf("%d tests, %d failures, %d skipped", s.Tests, s.Failures, s.Skipped)
	}
	for _, text := range []struct{ got, want string }{
		{s.Output.Text, "one\ntwo]]>\ufffd\ufffd\ufffd\n"},
		{s.Cases[0].Failure.Message, "panic: \ufffd<&>\""},
		{s.Cases[1].Name, "expect: \ufffd]]>"},
	} {
		if text.got != text.want {
			t.Errorf("%q, want %q", text.got, text.want)
		}
	}
}

func TestXMLWriteError(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := new(Report).WriteXML(w, ""); err != io.ErrClosedPipe {
		t.Errorf("error %v", err)
	}
}

func TestTimeline(t *testing.T) {
	r := &Report{Timeline: []console.Stage{{At: 2, Name: "c"}, {Name: "a", Line: "x"}, {Name: "b", Line: strings.Repeat("é", 100)}}}
	r.Sort()
	var out strings.Builder
	r.WriteTimeline(&out)
	want := "    0.0 s  a: x\n    0.0 s  b: " + strings.Repeat("é", 60) + "...\n    2.0 s  c\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}
