package runner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// A result is what result.json has. Times are in seconds since QEMU started.
type result struct {
	Label       string                `json:"label"` // the Bazel target
	Passed      bool                  `json:"passed"`
	Class       failure.Class         `json:"class"`        // of the failure; empty if the boot passed
	Sentence    string                `json:"sentence"`     // the result in words
	Arch        string                `json:"arch"`         // the guest's architecture
	Accelerator string                `json:"accelerator"`  // "kvm" or "tcg", QEMU's emulator; empty if it did not start
	Elapsed     float64               `json:"elapsed_s"`    // the time until the result was known
	TimeLimit   float64               `json:"time_limit_s"` // the longest time that the boot may take; zero for no limit
	Patterns    []console.Expectation `json:"patterns"`     // the patterns that were expected
	Timeline    []console.Stage       `json:"timeline"`     // the stages of the boot, and the patterns that were seen
}

// report writes the result of the boot to standard error and to files. If the boot failed,
// it includes what helps to find out why.
func (b *boot) report(v verdict) {
	r := b.result(v)
	var raw strings.Builder
	b.writeText(&raw, r)
	text := printable.Lines(raw.String())
	if err := b.writeFiles(r, text); err != nil {
		raw.Reset()
		b.printf(&raw, "cannot write the result: %v", err)
		text += printable.Lines(raw.String())
	}
	io.WriteString(b.session.Stderr, text)
}

// result returns the result of the boot.
func (b *boot) result(v verdict) *result {
	r := &result{
		Label:       b.config.Label,
		Passed:      v.passed(),
		Class:       v.class,
		Sentence:    printable.Text(v.sentence),
		Arch:        b.config.Arch,
		Accelerator: b.accelerator,
		Elapsed:     milliseconds(b.elapsed),
		TimeLimit:   milliseconds(b.session.TimeLimit),
		Patterns:    []console.Expectation{},
		Timeline:    []console.Stage{},
	}
	if b.screen == nil {
		return r
	}
	r.Patterns = append(r.Patterns, b.screen.Expectations()...)
	r.Timeline = append(r.Timeline, console.Stage{Name: "QEMU", Line: b.accelReason})
	r.Timeline = append(r.Timeline, b.screen.Stages()...)
	for _, e := range r.Patterns {
		if e.Seen {
			r.Timeline = append(r.Timeline, console.Stage{At: e.At, Name: b.patternName(e), Line: e.Line})
		}
	}
	r.sortTimeline()
	for i := range r.Patterns {
		p := &r.Patterns[i]
		p.Line, p.Near = printable.Text(p.Line), printable.Text(p.Near)
	}
	for i := range r.Timeline {
		r.Timeline[i].Line = printable.Text(r.Timeline[i].Line)
	}
	r.Timeline = append(r.Timeline, console.Stage{At: r.Elapsed, Name: cmp.Or(string(v.class), "passed")})
	return r
}

// sortTimeline sorts the stages by time. Stages with the same time keep their order.
func (r *result) sortTimeline() {
	slices.SortStableFunc(r.Timeline, func(a, b console.Stage) int { return cmp.Compare(a.At, b.At) })
}

// writeTimeline writes the timeline, one line for each stage.
func (r *result) writeTimeline(w io.Writer) {
	for _, s := range r.Timeline {
		line := fmt.Sprintf("%7.1f s  %s", s.At, s.Name)
		if s.Line != "" {
			line += ": " + excerpt(s.Line, 120)
		}
		fmt.Fprintln(w, line)
	}
}

// writeText writes the report for the log.
func (b *boot) writeText(w io.Writer, r *result) {
	b.printf(w, "%s", r.Sentence)
	if b.screen == nil {
		return
	}
	if !b.config.Interactive {
		fmt.Fprintln(w, "--- timeline, since QEMU started")
		r.writeTimeline(w)
	}
	if !r.Passed {
		// An interactive user has seen the console already.
		if tail := b.screen.Tail(); len(tail) > 0 && !b.config.Interactive {
			writeLines(w, "end of the console", tail)
		}
		if len(b.qemuErrors) > 0 {
			writeLines(w, "QEMU's standard error", b.qemuErrors)
		}
		if b.screen.log != nil {
			// Without the directory, which is in a sandbox that ends with the test. Bazel
			// zips the outputs if --zip_undeclared_test_outputs is on.
			fmt.Fprintf(w, "--- whole console: %s in test.outputs/outputs.zip or test.outputs, next to test.log\n", consoleLog)
		}
	}
	if b.screen.logErr != nil {
		b.printf(w, "%s is incomplete: %v", consoleLog, b.screen.logErr)
	}
}

// maxShown is how much of a line the report shows, in bytes. The messages of the kernel are
// shorter.
const maxShown = 1000

// writeLines writes lines of a console under a heading.
func writeLines(w io.Writer, heading string, lines []string) {
	fmt.Fprintf(w, "--- %s\n", heading)
	for _, line := range lines {
		shown := excerpt(line, maxShown)
		if shown != line {
			shown += fmt.Sprintf(" [%d bytes, cut after %d]", len(line), maxShown)
		}
		fmt.Fprintln(w, shown)
	}
}

func (b *boot) printf(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "boot: %s: %s\n", b.config.Label, fmt.Sprintf(format, args...))
}

// writeFiles writes the result for programs and for Bazel.
func (b *boot) writeFiles(r *result, text string) error {
	if dir := b.session.OutputsDir; dir != "" {
		data, err := r.json()
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, resultFile), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	if name := b.session.XMLFile; name != "" {
		data, err := r.xml(text)
		if err != nil {
			return err
		}
		return os.WriteFile(name, data, 0o644)
	}
	return nil
}

func (r *result) json() ([]byte, error) {
	var data bytes.Buffer
	e := json.NewEncoder(&data)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(r)
	return data.Bytes(), err
}

// milliseconds returns d in seconds, with three decimals.
func milliseconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// excerpt shortens text to at most size bytes, and adds "..." if that drops anything.
func excerpt(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size], "") + "..."
}
