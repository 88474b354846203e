package runner

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

// A verdict is the result of a boot in one sentence. If the boot failed, the sentence begins
// with the class of the failure.
type verdict struct {
	class    failure.Class // empty if the boot passed
	sentence string
}

// maxExcerpt is what fits into a sentence, in bytes.
const maxExcerpt = 300

func (v verdict) passed() bool { return v.class == "" }

func failed(class failure.Class, format string, args ...any) verdict {
	return verdict{class: class, sentence: string(class) + ": " + fmt.Sprintf(format, args...)}
}

func failedAfter(elapsed time.Duration, class failure.Class, format string, args ...any) verdict {
	return verdict{class: class, sentence: fmt.Sprintf("%s after %s: %s", class, seconds(elapsed), fmt.Sprintf(format, args...))}
}

func passedAfter(elapsed time.Duration, format string, args ...any) verdict {
	return verdict{sentence: fmt.Sprintf("passed after %s: %s", seconds(elapsed), fmt.Sprintf(format, args...))}
}

// judge returns the verdict for a finding that is not Undecided.
func (b *boot) judge(f console.Finding, elapsed time.Duration) verdict {
	if f.Outcome == console.Satisfied && b.screen.Refused() {
		return passedAfter(elapsed, "the firmware refused the payload%s", b.alsoSeen())
	}
	if f.Outcome == console.Satisfied {
		return passedAfter(elapsed, "%s", b.seenPatterns())
	}
	line := excerpt(f.Line, maxExcerpt)
	switch f.Class {
	case failure.Forbidden:
		return failedAfter(elapsed, f.Class, "a line matches the pattern \"%s\": %s", f.Pattern, line)
	case failure.ExitCode:
		return failedAfter(elapsed, f.Class, "the guest reported exit code %d: %s", f.Code, line)
	}
	if f.Class == failure.FirmwareRefused {
		if explanation := console.ExplainRefusal(f.Line); explanation != "" {
			line += ": " + explanation
		}
		return failedAfter(elapsed, f.Class, "%s", line)
	}
	if f.Class == failure.NotRefused {
		return failedAfter(elapsed, f.Class, "the kernel started, and the firmware must refuse it: %s", line)
	}
	if explanation := console.Explain(f.Line); explanation != "" {
		line = explanation + ": " + line
	}
	return failedAfter(elapsed, f.Class, "%s", line)
}

// exited returns the verdict if QEMU ended before the console decided the boot.
func (b *boot) exited(s *os.ProcessState, stderr []string, elapsed time.Duration) verdict {
	reason := ""
	if line := lastError(stderr); line != "" {
		reason = ": " + excerpt(line, maxExcerpt)
	}
	if err := b.tpm.err(); err != nil && !s.Success() {
		return b.lostTPM(err, elapsed)
	}
	switch missing := b.screen.Missing(); {
	case !s.Success() && s.Exited() && len(b.screen.Stages()) == 0:
		return failed(failure.QEMUNotStarted, "QEMU ended before the machine started (%v)%s", s, reason)
	case !s.Success():
		return failedAfter(elapsed, failure.QEMUDied, "QEMU ended with an error (%v)%s", s, reason)
	case !b.screen.Refused() && !b.screen.KernelStarted():
		return failedAfter(elapsed, failure.KernelNotStarted, "the machine stopped before the kernel printed anything%s", b.lastLine())
	case b.config.ExpectRefusal && !b.screen.Refused():
		return failedAfter(elapsed, failure.NotRefused, "the guest ended, and the firmware must refuse it")
	case len(missing) > 0:
		return failedAfter(elapsed, failure.MissingAtEnd, "the guest ended; not seen: %s", b.listMissing(missing))
	case b.session.Observe != nil:
		return failedAfter(elapsed, failure.MissingAtEnd, "the guest ended too early")
	case len(b.screen.Expectations()) > 0:
		return passedAfter(elapsed, "%s, and the guest ended", b.seenPatterns())
	default:
		return passedAfter(elapsed, "the guest ended")
	}
}

// lastError returns the line of QEMU's standard error that says why it ended. An error
// begins with QEMU's name, and hints may follow it.
func lastError(stderr []string) string {
	for _, line := range slices.Backward(stderr) {
		if qemuError.MatchString(line) {
			return line
		}
	}
	if len(stderr) == 0 {
		return ""
	}
	return stderr[len(stderr)-1]
}

var qemuError = regexp.MustCompile(`^qemu[-a-z0-9_]*: `)

// timedOut returns the verdict of a boot that reached the time limit.
func (b *boot) timedOut() verdict {
	limit := b.session.TimeLimit
	switch missing := b.screen.Missing(); {
	case !b.screen.Refused() && !b.screen.KernelStarted():
		return failedAfter(limit, failure.KernelNotStarted, "time limit: the kernel has not printed anything (does it use this console?)%s", b.lastLine())
	case b.config.ExpectRefusal && !b.screen.Refused():
		return failedAfter(limit, failure.NotRefused, "time limit: the guest is running, and the firmware must refuse it")
	case len(missing) > 0:
		return failedAfter(limit, failure.MissingAtLimit, "time limit; not seen: %s", b.listMissing(missing))
	default:
		return failedAfter(limit, failure.NotEnded, "time limit: the guest is still running")
	}
}

// lastLine says what the firmware printed last.
func (b *boot) lastLine() string {
	line := b.screen.LastLine()
	switch {
	case line != "":
		return "; the last line of the firmware is: " + excerpt(line, maxExcerpt)
	case b.config.Firmware != "":
		return "; the firmware has not printed anything either (is it for this machine?)"
	}
	return ""
}

// lostTPM returns the verdict if the TPM failed.
func (b *boot) lostTPM(err error, elapsed time.Duration) verdict {
	if len(b.screen.Stages()) == 0 {
		return failed(failure.QEMUNotStarted, "%v", err)
	}
	return failedAfter(elapsed, failure.QEMUDied, "%v", err)
}

// signaled returns the verdict of a boot that was stopped by a signal.
func (b *boot) signaled(s os.Signal, elapsed time.Duration) verdict {
	v := failedAfter(elapsed, failure.Stopped, "by a signal (%v)", s)
	if missing := b.screen.Missing(); len(missing) > 0 {
		v.sentence += "; not seen: " + b.listMissing(missing)
	}
	return v
}

// alsoSeen says that all patterns were seen, if there are any.
func (b *boot) alsoSeen() string {
	if len(b.screen.Expectations()) == 0 {
		return ""
	}
	return ", and " + b.seenPatterns()
}

// seenPatterns says that all patterns were seen.
func (b *boot) seenPatterns() string {
	switch n := len(b.screen.Expectations()); n {
	case 0:
		return "everything expected was seen"
	case 1:
		return "the pattern was seen"
	default:
		return fmt.Sprintf("all %d patterns were seen", n)
	}
}

// listMissing names patterns that were not seen. Of patterns that must come in order, it
// names only the next one of each kind.
func (b *boot) listMissing(missing []console.Expectation) string {
	var names []string
	listed := map[console.Kind]bool{}
	for _, e := range missing {
		if e.Kind != console.Unordered && listed[e.Kind] {
			continue
		}
		listed[e.Kind] = true
		name := fmt.Sprintf("%s \"%s\"", b.patternName(e), e.Pattern)
		if advice := b.screen.Advice(e); advice != "" {
			name += " (" + advice + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// patternName names a pattern by its kind and its position, such as "expect 2 of 3".
func (b *boot) patternName(e console.Expectation) string {
	count, position := 0, 0
	for _, other := range b.screen.Expectations() {
		if other.Kind == e.Kind {
			count++
			if other.Pattern == e.Pattern {
				position = count
			}
		}
	}
	if count == 1 {
		return string(e.Kind)
	}
	return fmt.Sprintf("%s %d of %d", e.Kind, position, count)
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%.1f s", d.Seconds())
}
