package kbuild

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// step matches what kbuild prints when it makes a file: "  CC      init/main.o".
var step = regexp.MustCompile(`^  ([A-Z][A-Z0-9_]*)(?: \[M\])? +\S`)

// failure matches what make prints after the output of a command that failed.
var failure = regexp.MustCompile(`^make(\[[0-9]+\])?: \*\*\* `)

// report is the output of a run of make, in an order that does not depend on which of its
// commands ended first. A block is the line of a step and the output of its command.
type report struct {
	blocks []string
	counts map[string]int
	failed string // the block of the first step that failed
}

func (r *report) add(line string) {
	m := step.FindStringSubmatch(line)
	// A directory that two commands need may be made by one of them, or by both.
	if m != nil && m[1] == "MKDIR" {
		return
	}
	if m != nil {
		if r.counts == nil {
			r.counts = map[string]int{}
		}
		r.counts[m[1]]++
	}
	if m != nil || len(r.blocks) == 0 {
		r.blocks = append(r.blocks, line+"\n")
		return
	}
	last := &r.blocks[len(r.blocks)-1]
	*last += line + "\n"
	if r.failed == "" && failure.MatchString(line) {
		r.failed = *last
	}
}

// failedStep returns the block of the step that failed first. Steps that ran beside it may
// follow it. If make does not tell which one failed, it returns the last one.
func (r *report) failedStep() string {
	if r.failed == "" && len(r.blocks) > 0 {
		return r.blocks[len(r.blocks)-1]
	}
	return r.failed
}

// writeTo writes the sorted blocks, and the number of steps of each kind.
func (r *report) writeTo(w io.Writer, title string) error {
	slices.Sort(r.blocks)
	counts := "nothing to do"
	if len(r.counts) > 0 {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(r.counts)) {
			parts = append(parts, fmt.Sprintf("%d %s", r.counts[name], name))
		}
		counts = strings.Join(parts, ", ")
	}
	_, err := fmt.Fprintf(w, "%[1]s\n%[2]s%[1]s: %[3]s\n", title, strings.Join(r.blocks, ""), counts)
	return err
}
