// Package console reads a guest's console. It splits the bytes into lines, and looks in
// them for what decides whether a boot passes.
package console

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

// An Outcome is what the console shows about the boot.
type Outcome int

const (
	Undecided Outcome = iota // nothing yet
	Satisfied                // everything that was expected
	Failed                   // a failure
)

// A Finding is an Outcome and the line that decided it.
type Finding struct {
	Outcome Outcome
	Class   failure.Class  // of the failure
	Line    string         // of a message of the kernel, from the start of the message
	Pattern *regexp.Regexp // for failure.Forbidden, the pattern that the line matches
	Code    int            // for failure.ExitCode, the code that the guest reported
}

// A Prompt is a pattern, and the text to type when it was seen.
type Prompt struct {
	Expect *regexp.Regexp `json:"expect"`
	Send   string         `json:"send"`
}

// Criteria decide whether a boot passes. They are attributes of boot_test.
type Criteria struct {
	// Expect are patterns that must be seen in this order. One line of the console can
	// match only one of them.
	Expect []*regexp.Regexp `json:"expect"`

	// ExpectUnordered are patterns that must be seen, in any order. One line can match
	// several.
	ExpectUnordered []*regexp.Regexp `json:"expect_unordered"`

	// ExitCodePattern matches the line in which the guest reports an exit code: its
	// first group, a number, must be zero. Nil for none.
	ExitCodePattern *regexp.Regexp `json:"exit_code_pattern"`

	// Input are the prompts that must be seen, in this order.
	Input []Prompt `json:"input"`

	// AllowFailures are failures in the kernel's messages that do not fail the boot.
	AllowFailures []failure.Class `json:"allow_failures"`

	// FailOn are failures in the kernel's messages that fail the boot, and would not
	// otherwise: those with failure.FailsIfAsked.
	FailOn []failure.Class `json:"fail_on"`

	// ExpectRefusal says that the firmware must refuse the payload. It may only be set with
	// Rules.Payload.
	ExpectRefusal bool `json:"expect_refusal"`

	// Forbid are patterns that no line may match. They take precedence over all other
	// criteria.
	Forbid []*regexp.Regexp `json:"forbid"`
}

// Rules say what a Watcher looks for.
type Rules struct {
	Criteria

	// Firmware matches the last lines that the firmware prints before the kernel starts;
	// nil if it prints nothing.
	Firmware *regexp.Regexp

	// Payload says that firmware starts a payload: the firmware's lines show the stages
	// before the kernel, and a refusal is a failure, unless it is expected.
	Payload bool

	// Observe, if it is not nil, gets each whole line that is not a failure. The boot
	// passes only after Observe has returned true.
	Observe func(line string) (done bool)

	// Clock returns the time since the machine started; nil for none.
	Clock func() time.Duration
}

// TailLines is the number of lines that a Watcher keeps: the kernel prints 60 lines about
// a panic, and a few lines before them show what led to it.
const TailLines = 80

// A Watcher looks for failures and expected patterns in the bytes of a console that are
// written to it. The first line that decides the boot is its finding, and nothing later
// changes that. Lines are matched without carriage returns and terminal escape sequences,
// and only when they are whole: in the middle of "PASSED", the pattern "PASS$" would match.
// Idle matches an unfinished line. A message of the kernel in the middle of a program's
// line is a line of its own, and the program's line is matched without it.
//
// A message of the kernel that reports a failure matches an expected pattern only if the
// match includes the words that report the failure: a test may expect "Kernel panic", but
// "Kernel panic - not syncing: No working init found" does not match "init". After a match,
// messages of the same class are not failures.
//
// A Watcher keeps at most TailLines lines of MaxLine bytes in memory. It is not safe for
// concurrent use.
type Watcher struct {
	rules Rules

	lines         splitter
	tangle        untangler
	tail          []string // the last lines, oldest first
	stages        stages
	expectations  []Expectation
	loosened      []loosened // of the expectations
	nextExpect    int        // index in rules.Expect
	nextPrompt    int        // index in rules.Input
	typed         string
	matchedLength int  // length of the unfinished line when it matched one of rules.Expect
	promptLength  int  // length of the unfinished line when it matched a prompt
	observed      bool // rules.Observe has returned true
	refused       bool // the firmware has refused the payload, which is expected
	allowed       []failure.Class
	finding       Finding
}

// A Kind is the criterion that a pattern belongs to.
type Kind string

const (
	Ordered   Kind = "expect"
	Unordered Kind = "expect_unordered"
	Input     Kind = "input"
	ExitCode  Kind = "exit_code_pattern"
)

// An Expectation is a pattern that must be seen.
type Expectation struct {
	Kind    Kind           `json:"kind"`
	Pattern *regexp.Regexp `json:"pattern"`
	Seen    bool           `json:"seen"`
	At      float64        `json:"time_s"` // when it was seen: see Rules.Clock
	Line    string         `json:"line"`   // the line that matched

	// Near is the last line that nearly matched; empty for none. Advice says what is wrong.
	Near string `json:"near_miss,omitempty"`
}

// NewWatcher returns a Watcher that follows the rules. Without an Observe function, and
// with no patterns but prompts, the finding is never Satisfied.
func NewWatcher(r Rules) *Watcher {
	w := &Watcher{rules: r, allowed: slices.Clone(r.AllowFailures)}
	for _, class := range failure.WithReport(failure.FailsIfAsked) {
		if !slices.Contains(r.FailOn, class) {
			w.allowed = append(w.allowed, class)
		}
	}
	add := func(k Kind, re *regexp.Regexp) {
		w.expectations = append(w.expectations, Expectation{Kind: k, Pattern: re})
		w.loosened = append(w.loosened, loosen(re))
	}
	for _, re := range r.Expect {
		add(Ordered, re)
	}
	for _, re := range r.ExpectUnordered {
		add(Unordered, re)
	}
	for _, p := range r.Input {
		add(Input, p.Expect)
	}
	if r.ExitCodePattern != nil {
		add(ExitCode, r.ExitCodePattern)
	}
	return w
}

// Write adds output of the console. It never fails.
func (w *Watcher) Write(p []byte) (int, error) {
	w.lines.write(p, w.addRawLine)
	return len(p), nil
}

// Idle matches the unfinished line, which may be a prompt. Call it when the console has
// been quiet for a while.
func (w *Watcher) Idle() {
	_, raw := w.cutPrompt(w.lines.unfinished())
	if line := w.tangle.unfinished(raw); line != "" {
		w.match(line, false)
	}
}

// Close ends the last line, at the end of the console.
func (w *Watcher) Close() {
	w.lines.close(w.addRawLine)
	w.tangle.close(w.addLine)
}

// firmwarePrompt matches what edk2 prints before a payload starts, without a newline
// (OvmfPkg/RiscVVirt/Library/PlatformBootManagerLib/PlatformBm.c).
var firmwarePrompt = regexp.MustCompile(`^Press ESCAPE within \d+ seconds for boot options `)

// cutPrompt returns the firmware's prompt at the beginning of a line, and the rest.
func (w *Watcher) cutPrompt(raw string) (prompt, rest string) {
	if w.rules.Payload {
		prompt = firmwarePrompt.FindString(raw)
	}
	return prompt, raw[len(prompt):]
}

// addRawLine adds a line in which messages of the kernel are not yet separate.
func (w *Watcher) addRawLine(raw string) {
	if prompt, rest := w.cutPrompt(raw); prompt != "" {
		w.addRawLine(strings.TrimSpace(prompt))
		raw = rest
	}
	if len(w.tail) == TailLines {
		w.tail = slices.Delete(w.tail, 0, 1)
	}
	w.tail = append(w.tail, raw)
	w.tangle.add(raw, w.addInterruption, w.addLine)
}

// addLine adds a whole line.
func (w *Watcher) addLine(line string) {
	w.match(line, true)
	w.matchedLength, w.promptLength = 0, 0
}

// addInterruption adds a message of the kernel in a line that is not finished.
func (w *Watcher) addInterruption(message string) {
	matchedLength, promptLength := w.matchedLength, w.promptLength
	w.addLine(message)
	w.matchedLength, w.promptLength = matchedLength, promptLength
}

// match matches a line; if whole is false, the beginning of one.
func (w *Watcher) match(line string, whole bool) {
	w.stages.addLine(line, &w.rules, w.now())
	if len(line) < max(w.matchedLength, w.promptLength) {
		w.matchedLength, w.promptLength = 0, 0 // the program has erased the line
	}
	if w.finding.Outcome != Undecided {
		return
	}
	for _, re := range w.rules.Forbid {
		if re.MatchString(line) {
			w.finding = Finding{Outcome: Failed, Class: failure.Forbidden, Line: line, Pattern: re}
			return
		}
	}
	if message := w.findRefusal(line, whole); message != "" {
		w.stages.add("refusal", message, w.now())
		w.stages.firmwareDone = false // what follows is the firmware's too
		if w.refused = w.rules.ExpectRefusal; !w.refused {
			w.finding = Finding{Outcome: Failed, Class: failure.FirmwareRefused, Line: message}
			return
		}
	}
	// The kernel does not wait for the end of a prompt.
	bad, isBad := findFailure(line[max(w.matchedLength, w.promptLength):])
	if slices.Contains(w.allowed, bad.class) {
		isBad = false
	}
	matches := func(re *regexp.Regexp) bool {
		at := re.FindStringIndex(line)
		return at != nil && (!isBad || strings.Contains(line[at[0]:at[1]], bad.words))
	}

	if w.matchExpected(line, matches) && isBad {
		w.allowed = append(w.allowed, bad.class)
		isBad = false
	}
	if isBad {
		// The beginning of a message does not show its class.
		if whole {
			w.finding = Finding{Outcome: Failed, Class: bad.class, Line: bad.message}
		}
		return
	}
	if w.rules.ExpectRefusal && w.stages.kernelSeen {
		w.finding = Finding{Outcome: Failed, Class: failure.NotRefused, Line: line}
		return
	}
	w.answerPrompt(line)
	if whole {
		w.checkExitCode(line)
		w.noteNearMisses(line)
		if w.rules.Observe != nil && w.rules.Observe(line) {
			w.observed = true
		}
	}
	if w.finding.Outcome == Undecided && w.satisfied() {
		w.finding = Finding{Outcome: Satisfied, Line: line}
	}
}

// findRefusal returns the message of the firmware that it does not start the payload; empty if
// a line has none, or if it does not matter.
func (w *Watcher) findRefusal(line string, whole bool) (message string) {
	if !w.rules.Payload || w.stages.kernelSeen || slices.Contains(w.allowed, failure.FirmwareRefused) {
		return ""
	}
	if !whole && w.nextPrompt < len(w.rules.Input) {
		return "" // the firmware's prompt may be one of them
	}
	return findRefusal(line, whole)
}

// satisfied reports whether everything that is expected was seen. It is false if nothing
// is expected.
func (w *Watcher) satisfied() bool {
	if w.rules.Observe == nil && len(w.expectations) == len(w.rules.Input) && !w.rules.ExpectRefusal {
		return false
	}
	return (w.rules.Observe == nil || w.observed) && w.refused == w.rules.ExpectRefusal && len(w.Missing()) == 0
}

// matchExpected marks the expected patterns that a line matches, and reports whether there
// are any.
func (w *Watcher) matchExpected(line string, matches func(*regexp.Regexp) bool) (any bool) {
	if w.matchedLength == 0 && w.nextExpect < len(w.rules.Expect) && matches(w.rules.Expect[w.nextExpect]) {
		w.markSeen(w.nextExpect, line)
		w.nextExpect++
		w.matchedLength = len(line)
		any = true
	}
	for i, re := range w.rules.ExpectUnordered {
		if matches(re) {
			w.markSeen(len(w.rules.Expect)+i, line)
			any = true
		}
	}
	return any
}

// answerPrompt answers the next prompt if it is in a line, after the prompt before.
func (w *Watcher) answerPrompt(line string) {
	if w.nextPrompt == len(w.rules.Input) {
		return
	}
	p := w.rules.Input[w.nextPrompt]
	if !p.Expect.MatchString(line[w.promptLength:]) {
		return
	}
	w.markSeen(len(w.rules.Expect)+len(w.rules.ExpectUnordered)+w.nextPrompt, line)
	w.nextPrompt++
	w.promptLength = len(line)
	w.typed += p.Send
}

// checkExitCode reads the exit code in a line.
func (w *Watcher) checkExitCode(line string) {
	if w.rules.ExitCodePattern == nil {
		return
	}
	m := w.rules.ExitCodePattern.FindStringSubmatch(line)
	if m == nil {
		return
	}
	code, err := strconv.Atoi(m[1])
	if err != nil {
		code = -1 // text that is not a number, or is too large, does not mean success
	}
	if code == 0 {
		w.markSeen(len(w.expectations)-1, line)
	} else {
		w.finding = Finding{Outcome: Failed, Class: failure.ExitCode, Line: line, Code: code}
	}
}

// noteNearMisses notes a line for each missing pattern that it nearly matches.
func (w *Watcher) noteNearMisses(line string) {
	for i := range w.expectations {
		if e := &w.expectations[i]; !e.Seen && w.loosened[i].match(line) {
			e.Near = line
		}
	}
}

func (w *Watcher) markSeen(i int, line string) {
	if e := &w.expectations[i]; !e.Seen {
		e.Seen, e.At, e.Line, e.Near = true, w.now(), line, ""
	}
}

// now returns the time in seconds, with three decimals.
func (w *Watcher) now() float64 {
	if w.rules.Clock == nil {
		return 0
	}
	return w.rules.Clock().Round(time.Millisecond).Seconds()
}

// Finding returns what the console shows so far.
func (w *Watcher) Finding() Finding { return w.finding }

// TakeInput returns the text to type, and forgets it.
func (w *Watcher) TakeInput() string {
	text := w.typed
	w.typed = ""
	return text
}

// Expectations returns the patterns that must be seen, in the order of the fields of
// Criteria.
func (w *Watcher) Expectations() []Expectation { return slices.Clone(w.expectations) }

// Missing returns the patterns that were not seen yet.
func (w *Watcher) Missing() []Expectation {
	return slices.DeleteFunc(w.Expectations(), func(e Expectation) bool { return e.Seen })
}

// Stages returns the stages of the boot, in the order in which they were reached.
func (w *Watcher) Stages() []Stage { return slices.Clone(w.stages.seen) }

// KernelStarted reports whether the kernel, or a program that it started, has printed
// anything.
func (w *Watcher) KernelStarted() bool { return w.stages.kernelStarted }

// Refused reports whether the firmware has refused the payload, and Rules expect that.
func (w *Watcher) Refused() bool { return w.refused }

// LastLine returns the last line with text, whole or not; empty if there is none.
func (w *Watcher) LastLine() string {
	for _, line := range slices.Backward(w.Tail()) {
		if text := strings.TrimSpace(line); text != "" {
			return text
		}
	}
	return ""
}

// Tail returns the last lines, oldest first, including the unfinished one.
func (w *Watcher) Tail() []string {
	lines := slices.Clone(w.tail)
	if unfinished := w.lines.unfinished(); unfinished != "" {
		lines = append(lines, unfinished)
	}
	return lines[max(0, len(lines)-TailLines):]
}
