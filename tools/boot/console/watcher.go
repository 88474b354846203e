// Package console reads a guest's console: it cuts the bytes into lines and
// looks in them for what decides a boot.
package console

import (
	"regexp"
	"strings"
)

// panicText begins the message of every panic (kernel/panic.c); a pattern that
// matches panicWords expects one.
const (
	panicWords = "Kernel panic"
	panicText  = panicWords + " - not syncing"
)

// An Outcome is what the console says of the boot.
type Outcome int

const (
	Undecided Outcome = iota // nothing yet
	Satisfied                // every expected pattern was seen, in order
	Forbidden                // a forbidden pattern was seen
	Panicked                 // the kernel panicked
)

// A Finding is an Outcome and the line that brought it.
type Finding struct {
	Outcome Outcome
	Line    string         // for Panicked, from the beginning of the panic's message
	Pattern *regexp.Regexp // the one forbidden, for Forbidden
}

// A Watcher is written the bytes of a console. The first line that decides the
// boot is its finding, and nothing later changes it. A line is matched
// without carriage returns and terminal escape sequences, and when it is
// whole: in the middle of "PASSED", the pattern "PASS$" would match. An
// unfinished line is matched by Idle.
//
// Memory is bounded by TailLines lines of MaxLine bytes. A Watcher is not safe
// for concurrent use.
type Watcher struct {
	expect, forbid []*regexp.Regexp

	lines    splitter
	tail     tail
	seen     int // patterns of expect already seen
	answered int // length of the unfinished line when it showed one of expect
	finding  Finding
}

// NewWatcher returns a Watcher for the patterns of expect, which must be seen
// in order, each in a line of its own, and those of forbid. With nothing to
// expect it never finds the boot Satisfied.
//
// A forbidden pattern goes before all else in a line. The line of a panic
// answers an expected pattern only if what it matches has the words "Kernel
// panic": a test may expect a panic, but "init" is not answered by "No working
// init found".
func NewWatcher(expect, forbid []*regexp.Regexp) *Watcher {
	return &Watcher{expect: expect, forbid: forbid}
}

// Write takes what the console has shown. It never fails.
func (w *Watcher) Write(p []byte) (int, error) {
	w.lines.write(p, w.end)
	return len(p), nil
}

// Idle matches the unfinished line, which is what a prompt is. It is to be
// called when the console has shown nothing for a while.
func (w *Watcher) Idle() {
	if len(w.lines.line) > 0 {
		w.match(string(w.lines.line))
	}
}

// Close ends the last line, at the end of the console.
func (w *Watcher) Close() {
	w.lines.close(w.end)
}

func (w *Watcher) end(line string) {
	w.tail.add(line)
	w.match(line)
	w.answered = 0
}

func (w *Watcher) match(line string) {
	if w.finding.Outcome != Undecided {
		return
	}
	for _, re := range w.forbid {
		if re.MatchString(line) {
			w.finding = Finding{Outcome: Forbidden, Line: line, Pattern: re}
			return
		}
	}
	rest := line[w.answered:] // the kernel does not wait for the end of a prompt
	panicAt := strings.Index(rest, panicText)
	if w.answered == 0 && w.seen < len(w.expect) {
		match := w.expect[w.seen].FindStringIndex(line)
		if match != nil && (panicAt < 0 || strings.Contains(line[match[0]:match[1]], panicWords)) {
			w.answered = len(line)
			w.seen++
			if w.seen == len(w.expect) {
				w.finding = Finding{Outcome: Satisfied, Line: line}
			}
			return
		}
	}
	if panicAt >= 0 {
		w.finding = Finding{Outcome: Panicked, Line: rest[panicAt:]}
	}
}

// Finding returns what the console says so far.
func (w *Watcher) Finding() Finding { return w.finding }

// Seen returns how many of the expected patterns were seen.
func (w *Watcher) Seen() int { return w.seen }

// Tail returns the last lines, oldest first, the unfinished one included.
func (w *Watcher) Tail() []string {
	lines := w.tail.lines()
	if len(w.lines.line) > 0 {
		lines = append(lines, string(w.lines.line))
	}
	return lines[max(0, len(lines)-TailLines):]
}
