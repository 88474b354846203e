// Package console reads a guest's console: it cuts the bytes into lines and
// looks in them for what decides a boot.
package console

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

// An Outcome is what the console says of the boot.
type Outcome int

const (
	Undecided Outcome = iota // nothing yet
	Satisfied                // all that was expected was seen
	Failed                   // something was seen that must not be
)

// A Finding is an Outcome and the line that brought it.
type Finding struct {
	Outcome Outcome
	Class   failure.Class  // of what Failed
	Line    string         // of a message of the kernel, from where that begins
	Pattern *regexp.Regexp // the one forbidden, for failure.Forbidden
	Code    int            // what the guest reported, for failure.ExitCode
}

// A Prompt is a pattern, and what is typed when it has been seen.
type Prompt struct {
	Pattern *regexp.Regexp
	Answer  string
}

// Rules say what a Watcher looks for.
type Rules struct {
	// Expect are patterns that must be seen in this order, each in a line of
	// its own.
	Expect []*regexp.Regexp

	// Unordered are patterns that must be seen, in any order. A line may show
	// several.
	Unordered []*regexp.Regexp

	// Dialogue are prompts, in this order.
	Dialogue []Prompt

	// ExitCode is a pattern whose first group is a number, which must be zero;
	// nil for none.
	ExitCode *regexp.Regexp

	// Forbid are patterns that must not be seen. They go before all else.
	Forbid []*regexp.Regexp

	// Allow are the classes of the kernel's messages that are no failure.
	Allow []failure.Class

	// Firmware matches the last lines of what is on the console before the
	// kernel; nil where nothing is.
	Firmware *regexp.Regexp

	// Observe is given each line that is whole and no failure, and returns
	// whether it has seen all that it waits for: that is expected too. Nil for
	// nobody.
	Observe func(line string) (done bool)

	// Clock is the time since the machine was started; nil for none.
	Clock func() time.Duration
}

// A Watcher is written the bytes of a console. The first line that decides the
// boot is its finding, and nothing later changes it. A line is matched
// without carriage returns and terminal escape sequences, and when it is
// whole: in the middle of "PASSED", the pattern "PASS$" would match. An
// unfinished line is matched by Idle. A message of the kernel in the middle of a
// program's line is a line of its own, and the program's is what it would be without.
//
// A message of the kernel that is a failure answers an expected pattern only
// if what that matches has the words that make it one: a test may expect a
// "Kernel panic", but "init" is not answered by "Kernel panic - not syncing:
// No working init found". Messages of the same class are no failures from
// then on.
//
// Memory is bounded by TailLines lines of MaxLine bytes. A Watcher is not safe
// for concurrent use.
type Watcher struct {
	rules Rules

	lines    splitter
	tangle   untangler
	tail     tail
	stages   stages
	wanted   []Wanted
	ordered  int // index of the next one of rules.Expect
	prompt   int // index of the next one of rules.Dialogue
	answers  string
	taken    int  // length of the unfinished line when it showed one of rules.Expect
	prompted int  // its length when it showed a prompt
	observed bool // rules.Observe has seen all
	allowed  []failure.Class
	finding  Finding
}

// A Kind is how a pattern is expected.
type Kind string

const (
	Ordered   Kind = "expect"
	Unordered Kind = "expect_unordered"
	Input     Kind = "input"
	ExitCode  Kind = "exit_code_pattern"
)

// A Wanted is a pattern that must be seen.
type Wanted struct {
	Kind    Kind
	Pattern *regexp.Regexp
	Seen    bool
	At      time.Duration // when it was seen
	Line    string        // the line that it was seen in
}

// NewWatcher returns a Watcher for what r says. With nothing to expect but
// prompts, and nobody to observe, it never finds the boot Satisfied.
func NewWatcher(r Rules) *Watcher {
	w := &Watcher{rules: r, allowed: slices.Clone(r.Allow)}
	add := func(k Kind, re *regexp.Regexp) {
		w.wanted = append(w.wanted, Wanted{Kind: k, Pattern: re})
	}
	for _, re := range r.Expect {
		add(Ordered, re)
	}
	for _, re := range r.Unordered {
		add(Unordered, re)
	}
	for _, p := range r.Dialogue {
		add(Input, p.Pattern)
	}
	if r.ExitCode != nil {
		add(ExitCode, r.ExitCode)
	}
	return w
}

// Write takes what the console has shown. It never fails.
func (w *Watcher) Write(p []byte) (int, error) {
	w.lines.write(p, w.end)
	return len(p), nil
}

// Idle matches the unfinished line, which is what a prompt is. It is to be
// called when the console has shown nothing for a while.
func (w *Watcher) Idle() {
	if line := w.tangle.unfinished(string(w.lines.line)); line != "" {
		w.match(line, false)
	}
}

// Close ends the last line, at the end of the console.
func (w *Watcher) Close() {
	w.lines.close(w.end)
	w.tangle.close(w.line)
}

func (w *Watcher) end(raw string) {
	w.tail.add(raw)
	w.tangle.take(raw, w.inside, w.line)
}

// line takes a whole line.
func (w *Watcher) line(line string) {
	w.match(line, true)
	w.taken, w.prompted = 0, 0
}

// inside takes a message that stands in a line which is not whole yet.
func (w *Watcher) inside(message string) {
	taken, prompted := w.taken, w.prompted
	w.line(message)
	w.taken, w.prompted = taken, prompted
}

// match looks at a line, or at the beginning of one that is not whole.
func (w *Watcher) match(line string, whole bool) {
	w.stages.note(line, w.rules.Firmware, w.now())
	if w.finding.Outcome != Undecided {
		return
	}
	for _, re := range w.rules.Forbid {
		if re.MatchString(line) {
			w.finding = Finding{Outcome: Failed, Class: failure.Forbidden, Line: line, Pattern: re}
			return
		}
	}
	// The kernel does not wait for the end of a prompt.
	bad, isBad := read(line[max(w.taken, w.prompted):])
	if slices.Contains(w.allowed, bad.class) {
		isBad = false
	}
	answers := func(re *regexp.Regexp, text string) bool {
		at := re.FindStringIndex(text)
		return at != nil && (!isBad || strings.Contains(text[at[0]:at[1]], bad.words))
	}

	if w.expected(line, answers) && isBad {
		w.allowed = append(w.allowed, bad.class)
		isBad = false
	}
	if isBad {
		// The beginning of a message does not tell its class.
		if whole {
			w.finding = Finding{Outcome: Failed, Class: bad.class, Line: bad.message}
		}
		return
	}
	w.ask(line)
	if whole {
		w.report(line)
		if w.rules.Observe != nil && w.rules.Observe(line) {
			w.observed = true
		}
	}
	if w.finding.Outcome == Undecided && w.satisfied() {
		w.finding = Finding{Outcome: Satisfied, Line: line}
	}
}

// satisfied reports whether all that can be expected was seen, if there is
// such a thing.
func (w *Watcher) satisfied() bool {
	if w.rules.Observe == nil && len(w.wanted) == len(w.rules.Dialogue) {
		return false
	}
	return (w.rules.Observe == nil || w.observed) && len(w.Missing()) == 0
}

// expected notes the expected patterns that a line answers, and reports
// whether there is one.
func (w *Watcher) expected(line string, answers func(re *regexp.Regexp, text string) bool) (found bool) {
	if w.taken == 0 && w.ordered < len(w.rules.Expect) && answers(w.rules.Expect[w.ordered], line) {
		w.see(w.ordered, line)
		w.ordered++
		w.taken = len(line)
		found = true
	}
	for i, re := range w.rules.Unordered {
		if answers(re, line) {
			w.see(len(w.rules.Expect)+i, line)
			found = true
		}
	}
	return found
}

// ask answers the next prompt if a line, behind the prompt before, shows it.
func (w *Watcher) ask(line string) {
	if w.prompt == len(w.rules.Dialogue) {
		return
	}
	p := w.rules.Dialogue[w.prompt]
	if !p.Pattern.MatchString(line[w.prompted:]) {
		return
	}
	w.see(len(w.rules.Expect)+len(w.rules.Unordered)+w.prompt, line)
	w.prompt++
	w.prompted = len(line)
	w.answers += p.Answer
}

// report reads the exit code in a line.
func (w *Watcher) report(line string) {
	if w.rules.ExitCode == nil {
		return
	}
	m := w.rules.ExitCode.FindStringSubmatch(line)
	if m == nil {
		return
	}
	// What is no number, or too large a one, is no success.
	code, err := strconv.Atoi(m[1])
	if err != nil {
		code = -1
	}
	if code != 0 {
		w.finding = Finding{Outcome: Failed, Class: failure.ExitCode, Line: line, Code: code}
		return
	}
	w.see(len(w.wanted)-1, line)
}

func (w *Watcher) see(i int, line string) {
	if p := &w.wanted[i]; !p.Seen {
		p.Seen, p.At, p.Line = true, w.now(), line
	}
}

func (w *Watcher) now() time.Duration {
	if w.rules.Clock == nil {
		return 0
	}
	return w.rules.Clock()
}

// Finding returns what the console says so far.
func (w *Watcher) Finding() Finding { return w.finding }

// Answers returns what is to be typed since the last call.
func (w *Watcher) Answers() string {
	text := w.answers
	w.answers = ""
	return text
}

// Wanted returns the patterns that must be seen, in the order of the fields of
// Rules.
func (w *Watcher) Wanted() []Wanted { return slices.Clone(w.wanted) }

// Missing returns those that were not seen yet.
func (w *Watcher) Missing() []Wanted {
	var missing []Wanted
	for _, p := range w.wanted {
		if !p.Seen {
			missing = append(missing, p)
		}
	}
	return missing
}

// Stages returns how far the boot has come.
func (w *Watcher) Stages() []Stage { return w.stages.list() }

// KernelStarted reports whether anything was seen that the kernel, or what
// came after it, has written.
func (w *Watcher) KernelStarted() bool { return w.stages.kernelStarted }

// Tail returns the last lines, oldest first, the unfinished one included.
func (w *Watcher) Tail() []string {
	lines := w.tail.lines()
	if len(w.lines.line) > 0 {
		lines = append(lines, string(w.lines.line))
	}
	return lines[max(0, len(lines)-TailLines):]
}
