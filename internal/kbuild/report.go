package kbuild

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// step is what kbuild prints as it makes a file: "  CC      init/main.o".
var step = regexp.MustCompile(`^  ([A-Z][A-Z0-9_]*)(?: \[M\])? +\S`)

// failure is what make says of a command that failed, behind what that printed.
var failure = regexp.MustCompile(`^make(\[[0-9]+\])?: \*\*\* `)

// report is what a run of make has printed, in an order that does not depend on which of its
// commands was quicker: a step, with what its command said, is a block.
type report struct {
	blocks []string
	counts map[string]int
	failed string // the block of the first step that failed
}

func (r *report) add(line string) {
	m := step.FindStringSubmatch(line)
	// A folder that two commands need is made by one of them, or by both.
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

// fault returns what the step that failed first has printed, or the last step if make does not
// tell: behind it are the steps that ran beside it.
func (r *report) fault() string {
	if r.failed == "" && len(r.blocks) > 0 {
		return r.blocks[len(r.blocks)-1]
	}
	return r.failed
}

// writeTo writes the blocks, sorted, and how many steps of each kind there were.
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
