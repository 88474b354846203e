package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

// The elements of a test.xml that Bazel and those that read its results know.
type (
	xmlSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   xmlSuite `xml:"testsuite"`
	}
	xmlSuite struct {
		Name     string    `xml:"name,attr"`
		Tests    int       `xml:"tests,attr"`
		Failures int       `xml:"failures,attr"`
		Skipped  int       `xml:"skipped,attr"`
		Time     string    `xml:"time,attr"`
		Cases    []xmlCase `xml:"testcase"`
		Output   xmlText   `xml:"system-out"`
	}
	xmlText struct {
		Text string `xml:",cdata"`
	}
	xmlCase struct {
		Name    string      `xml:"name,attr"`
		Class   string      `xml:"classname,attr"`
		Time    string      `xml:"time,attr"`
		Failure *xmlFailure `xml:"failure"`
		Skipped *struct{}   `xml:"skipped"`
	}
	xmlFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
	}
)

// WriteXML writes r as a test.xml with output as what the test wrote. The boot
// is a test case, and so is each pattern, whose time is that from QEMU's start
// until it was seen. The first pattern that is missing fails for its own
// reason if that is why the boot failed; the others have not been reached, and
// are skipped.
func (r *Report) WriteXML(w io.Writer, output string) error {
	s := xmlSuite{Name: r.Label, Time: decimal(r.Elapsed), Output: xmlText{clean(output)}}
	boot := xmlCase{Name: "boot", Class: r.Label, Time: decimal(r.Elapsed)}
	missing := r.Class == failure.MissingAtLimit || r.Class == failure.MissingAtEnd
	why := &xmlFailure{Type: string(r.Class), Message: r.Sentence}
	if !r.Passed && !missing {
		boot.Failure = why
	}
	s.Cases = append(s.Cases, boot)
	blamed := false
	for _, p := range r.Patterns {
		c := xmlCase{Name: p.Kind + ": " + p.Pattern, Class: r.Label, Time: decimal(p.Time)}
		switch {
		case p.Seen:
		case missing && (!blamed || p.Kind == unordered):
			blamed = true
			c.Time = decimal(r.Elapsed)
			c.Failure = why
		default:
			c.Skipped = &struct{}{}
		}
		s.Cases = append(s.Cases, c)
	}
	for _, c := range s.Cases {
		s.Tests++
		if c.Failure != nil {
			s.Failures++
		}
		if c.Skipped != nil {
			s.Skipped++
		}
	}
	for i := range s.Cases {
		s.Cases[i].Name = clean(s.Cases[i].Name)
		if f := s.Cases[i].Failure; f != nil {
			f.Message = clean(f.Message)
		}
	}

	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(xmlSuites{Suite: s}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// unordered is the kind of patterns of which none waits for another.
const unordered = "expect_unordered"

func decimal(seconds float64) string { return fmt.Sprintf("%.3f", seconds) }

// clean replaces what XML 1.0 cannot have: a console shows any bytes.
func clean(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' || ' ' <= c && c <= 0xd7ff || 0xe000 <= c && c <= 0xfffd || 0x10000 <= c {
			return c
		}
		return '\ufffd'
	}, text)
}
