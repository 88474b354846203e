package runner

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/tools/boot/console"
)

// A verdict is how a boot went, in one sentence.
type verdict struct {
	ok       bool
	sentence string
}

func failed(format string, args ...any) verdict {
	return verdict{sentence: fmt.Sprintf(format, args...)}
}

func passed(format string, args ...any) verdict {
	return verdict{ok: true, sentence: fmt.Sprintf(format, args...)}
}

// found is the verdict of a console whose finding is not Undecided.
func (b *boot) found(f console.Finding, elapsed time.Duration) verdict {
	switch f.Outcome {
	case console.Satisfied:
		return passed("%s seen after %s", b.patterns(), seconds(elapsed))
	case console.Forbidden:
		return failed("forbidden pattern \"%s\" after %s: %s", f.Pattern, seconds(elapsed), excerpt(f.Line))
	default:
		return failed("kernel panic after %s: %s", seconds(elapsed), excerpt(f.Line))
	}
}

// exited is the verdict of a QEMU that ended while the console said nothing
// that decides.
func (b *boot) exited(s *os.ProcessState, seen int, elapsed time.Duration) verdict {
	if s.Success() && len(b.config.Expect) == 0 {
		return passed("QEMU exited cleanly after %s", seconds(elapsed))
	}
	return failed("QEMU ended (%v) after %s%s", s, seconds(elapsed), b.waiting(seen))
}

// timedOut is the verdict of a boot that took too long.
func (b *boot) timedOut(seen int) verdict {
	limit := b.session.TimeLimit.Seconds()
	if len(b.config.Expect) == 0 {
		return failed("time limit of %g s reached; still waiting for QEMU to exit", limit)
	}
	return failed("time limit of %g s reached%s", limit, b.waiting(seen))
}

// signaled is the verdict of a boot that somebody stopped.
func (b *boot) signaled(s os.Signal, seen int, elapsed time.Duration) verdict {
	return failed("stopped by a signal (%v) after %s%s", s, seconds(elapsed), b.waiting(seen))
}

// patterns names what was expected, all of it.
func (b *boot) patterns() string {
	if n := len(b.config.Expect); n > 1 {
		return fmt.Sprintf("all %d patterns", n)
	}
	return "the expected pattern"
}

// waiting is the end of a sentence about a boot cut short.
func (b *boot) waiting(seen int) string {
	expect := b.config.Expect
	if seen == len(expect) {
		return ""
	}
	return fmt.Sprintf("; still waiting for pattern %d of %d: \"%s\"", seen+1, len(expect), expect[seen])
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// excerpt cuts a line to what fits in a sentence.
func excerpt(line string) string {
	const longest = 300 // bytes
	if len(line) <= longest {
		return line
	}
	return strings.ToValidUTF8(line[:longest], "") + "..."
}
