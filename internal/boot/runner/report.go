package runner

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/report"
)

// report writes the result of the boot to standard error and to files. If the boot failed,
// it includes what helps to find out why.
func (b *boot) report(v verdict) {
	r := b.result(v)
	var text bytes.Buffer
	b.writeText(&text, r)
	if err := b.writeFiles(r, text.String()); err != nil {
		b.printf(&text, "cannot write the result: %v", err)
	}
	io.Copy(b.session.Stderr, &text)
}

// result returns the report of the boot.
func (b *boot) result(v verdict) *report.Report {
	r := &report.Report{
		Label:       b.config.Label,
		Passed:      v.passed(),
		Class:       v.class,
		Sentence:    v.sentence,
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
	r.Patterns = append(r.Patterns, b.screen.expectations()...)
	r.Timeline = append(r.Timeline, console.Stage{Name: "QEMU", Line: b.accelReason})
	r.Timeline = append(r.Timeline, b.screen.stages()...)
	for _, e := range r.Patterns {
		if e.Seen {
			r.Timeline = append(r.Timeline, console.Stage{At: e.At, Name: b.patternName(e), Line: e.Line})
		}
	}
	r.Sort()
	end := string(v.class)
	if v.passed() {
		end = "passed"
	}
	r.Timeline = append(r.Timeline, console.Stage{At: r.Elapsed, Name: end})
	return r
}

// writeText writes the report for the log.
func (b *boot) writeText(w io.Writer, r *report.Report) {
	b.printf(w, "%s", r.Sentence)
	if b.screen == nil {
		return
	}
	if !b.config.Interactive {
		fmt.Fprintln(w, "--- timeline, since QEMU started")
		r.WriteTimeline(w)
	}
	if !r.Passed {
		// An interactive user has seen the console already.
		if tail := b.screen.tail(); len(tail) > 0 && !b.config.Interactive {
			fmt.Fprintf(w, "--- end of the console\n%s\n", strings.Join(tail, "\n"))
		}
		if len(b.qemuErrors) > 0 {
			fmt.Fprintf(w, "--- QEMU's standard error\n%s\n", strings.Join(b.qemuErrors, "\n"))
		}
		if b.screen.log != nil {
			// Without the directory, which is in a sandbox that ends with the test.
			fmt.Fprintf(w, "--- whole console: %s in test.outputs, next to test.log\n", consoleLog)
		}
	}
	if b.screen.logErr != nil {
		b.printf(w, "%s is incomplete: %v", consoleLog, b.screen.logErr)
	}
}

func (b *boot) printf(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "boot: %s: %s\n", b.config.Label, fmt.Sprintf(format, args...))
}

// writeFiles writes the result for programs and for Bazel.
func (b *boot) writeFiles(r *report.Report, text string) error {
	if dir := b.session.OutputsDir; dir != "" {
		var data bytes.Buffer
		if err := r.WriteJSON(&data); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, resultFile), data.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if name := b.session.XMLFile; name != "" {
		var data bytes.Buffer
		if err := r.WriteXML(&data, text); err != nil {
			return err
		}
		return os.WriteFile(name, data.Bytes(), 0o644)
	}
	return nil
}

// milliseconds returns d in seconds, with three decimals.
func milliseconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
