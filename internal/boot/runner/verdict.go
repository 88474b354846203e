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
	"github.com/rules-initramfs/rules_initramfs/internal/boot/report"
)

// A verdict is how a boot went, in one sentence, which begins with the class
// of a failure.
type verdict struct {
	class    failure.Class // empty for success
	sentence string
}

func (v verdict) passed() bool { return v.class == "" }

func failed(class failure.Class, format string, args ...any) verdict {
	return verdict{class: class, sentence: string(class) + ": " + fmt.Sprintf(format, args...)}
}

// failedAfter is failed for a boot that took some time.
func failedAfter(elapsed time.Duration, class failure.Class, format string, args ...any) verdict {
	return verdict{class: class, sentence: fmt.Sprintf("%s after %s: %s", class, seconds(elapsed), fmt.Sprintf(format, args...))}
}

func passedAfter(elapsed time.Duration, format string, args ...any) verdict {
	return verdict{sentence: fmt.Sprintf("passed after %s: %s", seconds(elapsed), fmt.Sprintf(format, args...))}
}

// found is the verdict of a console whose finding is not Undecided.
func (b *boot) found(f console.Finding, elapsed time.Duration) verdict {
	if f.Outcome == console.Satisfied {
		return passedAfter(elapsed, "%s", b.allSeen())
	}
	line := excerpt(f.Line)
	switch f.Class {
	case failure.Forbidden:
		return failedAfter(elapsed, f.Class, "pattern \"%s\" is in: %s", f.Pattern, line)
	case failure.ExitCode:
		return failedAfter(elapsed, f.Class, "the guest reported %d: %s", f.Code, line)
	}
	if words := console.Explain(f.Line); words != "" {
		line = words + ": " + line
	}
	return failedAfter(elapsed, f.Class, "%s", line)
}

// exited is the verdict of a QEMU that ended while the console said nothing
// that decides.
func (b *boot) exited(s *os.ProcessState, stderr []string, elapsed time.Duration) verdict {
	why := ""
	if line := lastError(stderr); line != "" {
		why = ": " + excerpt(line)
	}
	switch missing := b.screen.missing(); {
	case !s.Success() && s.Exited() && !b.screen.anything():
		return failed(failure.QEMUNotStarted, "QEMU ended at once (%v)%s", s, why)
	case !s.Success():
		return failedAfter(elapsed, failure.QEMUDied, "%v%s", s, why)
	case !b.screen.kernelStarted():
		return failedAfter(elapsed, failure.KernelNotStarted, "the machine stopped, and the kernel had shown nothing")
	case len(missing) > 0:
		return failedAfter(elapsed, failure.MissingAtEnd, "the guest ended, still missing: %s", b.list(missing))
	case len(b.screen.wanted()) > 0:
		return passedAfter(elapsed, "%s, and the guest ended", b.allSeen())
	default:
		return passedAfter(elapsed, "the guest ended")
	}
}

// lastError returns the line of QEMU's standard error for which it ended. An
// error begins with QEMU's name, and hints may follow it.
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

// timedOut is the verdict of a boot that took too long.
func (b *boot) timedOut() verdict {
	limit := b.session.TimeLimit
	switch missing := b.screen.missing(); {
	case !b.screen.kernelStarted():
		return failedAfter(limit, failure.KernelNotStarted, "the time limit, and the kernel has shown nothing")
	case len(missing) > 0:
		return failedAfter(limit, failure.MissingAtLimit, "the time limit, still missing: %s", b.list(missing))
	default:
		return failedAfter(limit, failure.NotEnded, "the time limit, and the guest has not ended")
	}
}

// signaled is the verdict of a boot that somebody stopped.
func (b *boot) signaled(s os.Signal, elapsed time.Duration) verdict {
	v := failedAfter(elapsed, failure.Stopped, "by a signal (%v)", s)
	if missing := b.screen.missing(); len(missing) > 0 {
		v.sentence += ", still missing: " + b.list(missing)
	}
	return v
}

// allSeen says that all that was expected was seen.
func (b *boot) allSeen() string {
	switch n := len(b.screen.wanted()); n {
	case 0:
		return "all was seen"
	case 1:
		return "the pattern was seen"
	default:
		return fmt.Sprintf("all %d patterns were seen", n)
	}
}

// list names patterns that were not seen. Of those in order only the first of
// each kind was waited for.
func (b *boot) list(missing []console.Wanted) string {
	var names []string
	waited := map[console.Kind]bool{}
	for _, p := range missing {
		if p.Kind != console.Unordered && waited[p.Kind] {
			continue
		}
		waited[p.Kind] = true
		names = append(names, fmt.Sprintf("%s \"%s\"", b.name(p), p.Pattern))
	}
	return strings.Join(names, ", ")
}

// name says which of the patterns one is.
func (b *boot) name(p console.Wanted) string {
	n, at := 0, 0
	for _, other := range b.screen.wanted() {
		if other.Kind == p.Kind {
			n++
			if other.Pattern == p.Pattern {
				at = n
			}
		}
	}
	if n == 1 {
		return string(p.Kind)
	}
	return fmt.Sprintf("%s %d of %d", p.Kind, at, n)
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// excerpt cuts a line to what fits in a sentence.
func excerpt(line string) string { return report.Excerpt(line, 300) }
