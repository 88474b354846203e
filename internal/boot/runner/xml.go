package runner

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// The elements of a test.xml that Bazel, and programs that show its results, read.
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

// xml returns r as a test.xml, with output as the output of the test. The boot is a test
// case, and so is each pattern, whose time is when it was seen. If the boot failed because
// of a missing pattern, the first such pattern has failed, and so has every missing pattern
// that does not wait for another. The other missing patterns are skipped.
func (r *result) xml(output string) ([]byte, error) {
	s := xmlSuite{Name: r.Label, Tests: 1 + len(r.Patterns), Time: decimal(r.Elapsed), Output: xmlText{clean(output)}}
	boot := xmlCase{Name: "boot", Class: r.Label, Time: decimal(r.Elapsed)}
	missing := r.Class == failure.MissingAtLimit || r.Class == failure.MissingAtEnd
	reason := &xmlFailure{Type: string(r.Class), Message: clean(r.Sentence)}
	if !r.Passed && !missing {
		boot.Failure = reason
		s.Failures++
	}
	s.Cases = append(s.Cases, boot)
	for _, p := range r.Patterns {
		c := xmlCase{Name: clean(string(p.Kind) + ": " + p.Pattern.String()), Class: r.Label, Time: decimal(p.At)}
		switch {
		case p.Seen:
		case missing && (s.Failures == 0 || p.Kind == console.Unordered):
			c.Time, c.Failure = decimal(r.Elapsed), reason
			s.Failures++
		default:
			c.Skipped = &struct{}{}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	text, err := xml.MarshalIndent(xmlSuites{Suite: s}, "", "  ")
	return slices.Concat([]byte(xml.Header), text, []byte("\n")), err
}

func decimal(seconds float64) string { return fmt.Sprintf("%.3f", seconds) }

// clean returns text without the characters that XML 1.0 forbids. A console may print any bytes.
func clean(text string) string { return noncharacters.Replace(printable.Lines(text)) }

// noncharacters are what XML forbids and package printable keeps.
var noncharacters = strings.NewReplacer("\ufffe", "\ufffd", "\uffff", "\ufffd")
