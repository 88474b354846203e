// Package report writes how a boot went: for programs, as JSON; for Bazel, as
// the test.xml of a test; for a log, as text.
package report

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

// A Report is how a boot went. Times are in seconds since QEMU was started.
type Report struct {
	// Label is the Bazel target.
	Label string `json:"label"`

	Passed bool `json:"passed"`

	// Class is what failed; empty if nothing did.
	Class failure.Class `json:"class"`

	// Sentence says it in words.
	Sentence string `json:"sentence"`

	// Arch is the guest's architecture.
	Arch string `json:"arch"`

	// Accelerator is what ran the guest: "kvm" or "tcg", QEMU's emulator; empty
	// when QEMU was not started.
	Accelerator string `json:"accelerator"`

	// Elapsed is the time until the boot was decided.
	Elapsed float64 `json:"elapsed_s"`

	// TimeLimit is how long it was allowed to take; zero is for ever.
	TimeLimit float64 `json:"time_limit_s"`

	// Patterns are those that were expected.
	Patterns []Pattern `json:"patterns"`

	// Timeline are the stages of the boot, the patterns that were seen among
	// them.
	Timeline []Event `json:"timeline"`
}

// A Pattern is one that was expected.
type Pattern struct {
	Kind    string  `json:"kind"` // the attribute of the rule that has it
	Pattern string  `json:"pattern"`
	Seen    bool    `json:"seen"`
	Time    float64 `json:"time_s"` // when it was seen
	Line    string  `json:"line"`   // of the console
}

// An Event is a point in a boot.
type Event struct {
	Time  float64 `json:"time_s"`
	Stage string  `json:"stage"`
	Text  string  `json:"text"`
}

// Sort orders the timeline by time: events of the same time stay in the order
// that they were added in.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Timeline, func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
}

// WriteJSON writes r as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
