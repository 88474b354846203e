// Package report writes the result of a boot: for programs, as JSON; for Bazel, as the
// test.xml of a test; for the log, as text.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

// A Report is the result of a boot. Times are in seconds since QEMU started.
type Report struct {
	// Label is the Bazel target.
	Label string `json:"label"`

	Passed bool `json:"passed"`

	// Class is the class of the failure; empty if the boot passed.
	Class failure.Class `json:"class"`

	// Sentence describes the result in words.
	Sentence string `json:"sentence"`

	// Arch is the guest's architecture.
	Arch string `json:"arch"`

	// Accelerator is what ran the guest: "kvm", or "tcg" for QEMU's emulator. It is
	// empty if QEMU did not start.
	Accelerator string `json:"accelerator"`

	// Elapsed is the time until the result was known.
	Elapsed float64 `json:"elapsed_s"`

	// TimeLimit is the longest time that the boot may take; zero for no limit.
	TimeLimit float64 `json:"time_limit_s"`

	// Patterns are the patterns that were expected.
	Patterns []console.Expectation `json:"patterns"`

	// Timeline has the stages of the boot. Patterns that were seen are stages too.
	Timeline []console.Stage `json:"timeline"`
}

// Sort sorts the timeline by time. Stages with the same time keep their order.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Timeline, func(a, b console.Stage) int { return cmp.Compare(a.At, b.At) })
}

// WriteJSON writes r as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteTimeline writes the timeline, one line for each stage.
func (r *Report) WriteTimeline(w io.Writer) {
	for _, s := range r.Timeline {
		line := fmt.Sprintf("%7.1f s  %s", s.At, s.Name)
		if s.Line != "" {
			line += ": " + Excerpt(s.Line, 120)
		}
		fmt.Fprintln(w, line)
	}
}

// Excerpt shortens text to at most size bytes, and adds "..." if that drops anything.
func Excerpt(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size], "") + "..."
}
