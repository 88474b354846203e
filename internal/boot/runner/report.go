package runner

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/report"
)

// report says how the boot went; if not well, what there is to find out why.
func (b *boot) report(v verdict) {
	r := b.result(v)
	var text bytes.Buffer
	b.write(&text, r)
	if err := b.keep(r, text.String()); err != nil {
		b.say(&text, "the result is not kept: %v", err)
	}
	io.Copy(b.session.Stderr, &text)
}

// result collects what is known of the boot.
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
		Patterns:    []report.Pattern{},
		Timeline:    []report.Event{},
	}
	if b.screen == nil {
		return r
	}
	add := func(at time.Duration, stage, text string) {
		r.Timeline = append(r.Timeline, report.Event{Time: milliseconds(at), Stage: stage, Text: text})
	}
	add(0, "QEMU", b.why)
	for _, s := range b.screen.stages() {
		add(s.At, s.Name, s.Line)
	}
	for _, p := range b.screen.wanted() {
		r.Patterns = append(r.Patterns, report.Pattern{
			Kind:    string(p.Kind),
			Pattern: p.Pattern.String(),
			Seen:    p.Seen,
			Time:    milliseconds(p.At),
			Line:    p.Line,
		})
		if p.Seen {
			add(p.At, b.name(p), p.Line)
		}
	}
	r.Sort()
	end := string(v.class)
	if v.passed() {
		end = "passed"
	}
	add(b.elapsed, end, "")
	return r
}

// write is the report for the log.
func (b *boot) write(w io.Writer, r *report.Report) {
	b.say(w, "%s", r.Sentence)
	if b.screen == nil {
		return
	}
	if !b.config.Interactive {
		fmt.Fprintln(w, "--- timeline, from QEMU's start")
		r.WriteTimeline(w)
	}
	if !r.Passed {
		// On the terminal the console has been seen already.
		if tail := b.screen.tail(); len(tail) > 0 && !b.config.Interactive {
			fmt.Fprintf(w, "--- console, last %d lines\n%s\n", len(tail), strings.Join(tail, "\n"))
		}
		if len(b.complaint) > 0 {
			fmt.Fprintf(w, "--- QEMU's standard error\n%s\n", strings.Join(b.complaint, "\n"))
		}
		if b.screen.log != nil {
			// Not its path, which is in a sandbox that ends with the test.
			fmt.Fprintf(w, "--- whole console: %s in test.outputs, beside test.log\n", consoleLog)
		}
	}
	if b.screen.logErr != nil {
		b.say(w, "the console's log is incomplete: %v", b.screen.logErr)
	}
}

func (b *boot) say(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "boot: %s: %s\n", b.config.Label, fmt.Sprintf(format, args...))
}

// keep writes the result for programs.
func (b *boot) keep(r *report.Report, text string) error {
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

// milliseconds returns d in seconds, to three places.
func milliseconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
