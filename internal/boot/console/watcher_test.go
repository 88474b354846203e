package console

import (
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

func patterns(exprs ...string) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, e := range exprs {
		out = append(out, regexp.MustCompile(e))
	}
	return out
}

// In a list of writes, idle and eof call Idle and Close instead.
const (
	idle = "<idle>"
	eof  = "<eof>"
)

func TestWatcher(t *testing.T) {
	const panicLine = "Kernel panic - not syncing: Fatal exception"
	const warningLine = "WARNING: kernel/x.c:1 at f+0x1/0x2, CPU#0: init/1"
	for _, test := range []struct {
		name   string
		expect []string
		forbid []string
		writes []string

		unordered []string
		input     []string // prompts, each answered with itself
		exitCode  string
		allow     []failure.Class
		failOn    []failure.Class

		want      Outcome
		wantClass failure.Class
		wantLine  string
		wantSeen  int
		wantInput string
	}{
		{name: "nothing", expect: []string{"a"}},
		{name: "seen", expect: []string{"^a$"}, writes: []string{"a\n"}, want: Satisfied, wantLine: "a", wantSeen: 1},
		{name: "in order", expect: []string{"a", "b"}, writes: []string{"a\nx\nb\n"}, want: Satisfied, wantLine: "b", wantSeen: 2},
		{name: "out of order", expect: []string{"a", "b"}, writes: []string{"b\na\n"}, wantSeen: 1},
		{name: "a line matches one pattern", expect: []string{"login", "login"}, writes: []string{"login login\n"}, wantSeen: 1},
		{name: "a line each", expect: []string{"login", "login"}, writes: []string{"login\nlogin\n"}, want: Satisfied, wantLine: "login", wantSeen: 2},
		{name: "divided in the pattern", expect: []string{"hello world"}, writes: []string{"hel", "lo wo", "rld\n"}, want: Satisfied, wantLine: "hello world", wantSeen: 1},
		{name: "not across lines", expect: []string{`a\s+b`}, writes: []string{"a\nb\n"}},
		{name: "unfinished", expect: []string{"login: $"}, writes: []string{"login: "}},
		{name: "prompt", expect: []string{"login: $"}, writes: []string{"login: ", idle}, want: Satisfied, wantLine: "login: ", wantSeen: 1},
		{name: "prompt at the end", expect: []string{"login: $"}, writes: []string{"login: ", eof}, want: Satisfied, wantLine: "login: ", wantSeen: 1},
		{name: "prompt, asked twice", expect: []string{"#", "#"}, writes: []string{"# ", idle, idle, "ls\n"}, wantSeen: 1},
		{name: "two prompts", expect: []string{"#", "#"}, writes: []string{"# ", idle, "ls\n# ", idle}, want: Satisfied, wantLine: "# ", wantSeen: 2},
		{name: "half a line does not match", expect: []string{"PASS$"}, writes: []string{"PASS", "ED 0 of 5\n", idle}},
		{name: "forbidden", expect: []string{"b"}, forbid: []string{"x", "bad"}, writes: []string{"a bad one\nb\n"}, want: Failed, wantClass: failure.Forbidden, wantLine: "a bad one"},
		{name: "forbidden before expected", expect: []string{"a"}, forbid: []string{"a"}, writes: []string{"a\n"}, want: Failed, wantClass: failure.Forbidden, wantLine: "a"},
		{name: "forbidden after a prompt", expect: []string{"#", "b"}, forbid: []string{"bad"}, writes: []string{"# ", idle, "bad\n"}, want: Failed, wantClass: failure.Forbidden, wantLine: "# bad", wantSeen: 1},
		{name: "forbidden too late", expect: []string{"a"}, forbid: []string{"bad"}, writes: []string{"a\nbad\n"}, want: Satisfied, wantLine: "a", wantSeen: 1},
		{name: "panic", expect: []string{"exception"}, writes: []string{"[    1.5] " + panicLine + "\r\ninit\n"}, want: Failed, wantClass: failure.Panic, wantLine: panicLine},
		{name: "panic, divided", writes: []string{"[    1.5] Kernel panic - not syn", "cing: Fatal exception\n"}, want: Failed, wantClass: failure.Panic, wantLine: panicLine},
		{name: "panic after a prompt", expect: []string{"#", "b"}, writes: []string{"# ", idle, panicLine + "\n"}, want: Failed, wantClass: failure.Panic, wantLine: panicLine, wantSeen: 1},
		{name: "panic after text without end", writes: []string{strings.Repeat(".", 3*MaxLine), panicLine + "\n"}, want: Failed, wantClass: failure.Panic, wantLine: panicLine},
		{name: "panic expected", expect: []string{"Kernel panic - .*exception"}, writes: []string{panicLine + "\n"}, want: Satisfied, wantLine: panicLine, wantSeen: 1},
		{name: "panic expected, unfinished", expect: []string{"Kernel panic", "end trace"}, writes: []string{panicLine, idle, "\n--- end trace\n"}, want: Satisfied, wantLine: "--- end trace", wantSeen: 2},
		{name: "escape sequences", expect: []string{"^ok$"}, writes: []string{"\x1b[32mo\x1b[", "0mk\r\n"}, want: Satisfied, wantLine: "ok", wantSeen: 1},

		{name: "progress", expect: []string{"^PASS$"}, writes: []string{"10%\r50%\r", idle, "PASS\n"}, want: Satisfied, wantLine: "PASS", wantSeen: 1},
		{name: "a prompt that is erased", expect: []string{"login: $", "^#$"}, input: []string{"login: $", "^#"}, writes: []string{"login: ", idle, "\r\x1b[K#", idle, "\n"}, want: Satisfied, wantLine: "#", wantSeen: 4, wantInput: "login: $^#"},
		{name: "a panic after a title without end", expect: []string{"^x$"}, writes: []string{"\x1b]0;title[    1.5] BUG: x\n"}, want: Failed, wantClass: failure.Bug, wantLine: "BUG: x"},

		{name: "unordered", unordered: []string{"a", "b"}, writes: []string{"b\na\n"}, want: Satisfied, wantLine: "a", wantSeen: 2},
		{name: "unordered, one line", unordered: []string{"a", "b"}, writes: []string{"ab\n"}, want: Satisfied, wantLine: "ab", wantSeen: 2},
		{name: "unordered, one missing", unordered: []string{"a", "b"}, writes: []string{"a\na\n"}, wantSeen: 1},
		{name: "unordered and ordered in a line", expect: []string{"b"}, unordered: []string{"a"}, writes: []string{"ab\n"}, want: Satisfied, wantLine: "ab", wantSeen: 2},
		{name: "unordered last", expect: []string{"b"}, unordered: []string{"a"}, writes: []string{"b\n", "a\n"}, want: Satisfied, wantLine: "a", wantSeen: 2},

		{name: "input alone", input: []string{"login: $"}, writes: []string{"login: ", idle}, wantSeen: 1, wantInput: "login: $"},
		{name: "input, not while it is written", input: []string{"login: $"}, writes: []string{"login: "}},
		{name: "input in order", input: []string{"login: $", "Password: $"}, writes: []string{"Password: ", idle, "\nlogin: ", idle, "root\nPassword: ", idle}, wantSeen: 2, wantInput: "login: $Password: $"},
		{name: "input, the echo is not a prompt", input: []string{"# $", "# "}, writes: []string{"# ", idle, "ls", idle, "\n"}, wantSeen: 1, wantInput: "# $"},
		{name: "input, a whole line", input: []string{"^ready$"}, expect: []string{"done"}, writes: []string{"ready\ndone\n"}, want: Satisfied, wantLine: "done", wantSeen: 2, wantInput: "^ready$"},
		{name: "input not at its end", input: []string{"ready"}, expect: []string{"done"}, writes: []string{"done\n"}, wantSeen: 1},
		{name: "input, panic after the prompt", input: []string{"# $"}, expect: []string{"^x$"}, writes: []string{"# ", idle, panicLine + "\n"}, want: Failed, wantClass: failure.Panic, wantLine: panicLine, wantSeen: 1, wantInput: "# $"},

		{name: "a message after a prompt", input: []string{"login: $"}, writes: []string{"login: [    3.511333] clocksource: x\n", idle}, wantSeen: 1, wantInput: "login: $"},
		{name: "two messages after a prompt", input: []string{"login: $", "root$"}, writes: []string{"login: ", idle, "[    3.5", idle, "11333] a\n[    3.511331][   T12] b\n", idle, "root", idle}, wantSeen: 2, wantInput: "login: $root$"},
		{name: "a prompt is answered once", input: []string{"login: $", "log"}, writes: []string{"login: ", idle, "[    3.511333] x\n", idle, "root\n"}, wantSeen: 1, wantInput: "login: $"},
		{name: "a message in a line", expect: []string{"^clock$", "^init: done$"}, unordered: []string{`^\[    3.511333\] clock$`}, writes: []string{"[    1.000000] clock\n", "clock\ninit: do[    3.511333] clock\nne\n"}, want: Satisfied, wantLine: "init: done", wantSeen: 3},
		{name: "a message before the end of a line", expect: []string{"^done$"}, writes: []string{"done[    3.511333] clock\n\n"}, want: Satisfied, wantLine: "done", wantSeen: 1},
		{name: "a message before the end", expect: []string{"^done$"}, writes: []string{"done[    3.511333] clock\n", eof}, want: Satisfied, wantLine: "done", wantSeen: 1},
		{name: "a panic in a line", expect: []string{"^done$"}, writes: []string{"do[    3.511333] " + panicLine + "\nne\n"}, want: Failed, wantClass: failure.Panic, wantLine: panicLine},
		{name: "forbidden in a line", expect: []string{"^done$"}, forbid: []string{"^bad$"}, writes: []string{"b[    3.511333] clock\nad\n"}, want: Failed, wantClass: failure.Forbidden, wantLine: "bad"},
		{name: "the kernel's log as a program prints it", expect: []string{`^dmesg: \[    1.000000\] a$`}, writes: []string{"[    1.000000] a\n[    2.000000] b\ndmesg: [    1.000000] a\n"}, want: Satisfied, wantLine: "dmesg: [    1.000000] a", wantSeen: 1},
		{name: "messages and a line without end", expect: []string{"^x+$"}, writes: []string{strings.Repeat(strings.Repeat("x", MaxLine-100)+"[    3.511333] clock\n", 3)}, want: Satisfied, wantLine: strings.Repeat("x", MaxLine-100), wantSeen: 1},

		{name: "exit code 0", exitCode: `^exit (\d+)$`, writes: []string{"exit 0\n"}, want: Satisfied, wantLine: "exit 0", wantSeen: 1},
		{name: "exit code 3", exitCode: `^exit (\d+)$`, expect: []string{"^x$"}, writes: []string{"exit 3\nx\n"}, want: Failed, wantClass: failure.ExitCode, wantLine: "exit 3"},
		{name: "exit code, not a number", exitCode: `^exit (.*)$`, writes: []string{"exit well\n"}, want: Failed, wantClass: failure.ExitCode, wantLine: "exit well"},
		{name: "exit code, half of it", exitCode: `exit (\d)`, writes: []string{"exit 1", idle, "\n"}, want: Failed, wantClass: failure.ExitCode, wantLine: "exit 1"},
		{name: "exit code, and a pattern", exitCode: `exit (\d)`, expect: []string{"^x$"}, writes: []string{"exit 0\nx\n"}, want: Satisfied, wantLine: "x", wantSeen: 2},

		{name: "allowed", allow: []failure.Class{failure.Panic}, expect: []string{"^x$"}, writes: []string{panicLine + "\nx\n"}, want: Satisfied, wantLine: "x", wantSeen: 1},
		{name: "another allowed", allow: []failure.Class{failure.Oops}, expect: []string{"^x$"}, writes: []string{panicLine + "\nx\n"}, want: Failed, wantClass: failure.Panic, wantLine: panicLine},
		{name: "an expected oops", expect: []string{"divide error", "^x$"}, writes: []string{"[    1.5] divide error: 0000 [#1] SMP\nx\n"}, want: Satisfied, wantLine: "x", wantSeen: 2},
		{name: "a warning", expect: []string{"^x$"}, writes: []string{warningLine + "\nx\n"}, want: Satisfied, wantLine: "x", wantSeen: 1},
		{name: "a warning to fail on", failOn: []failure.Class{failure.HungTask, failure.Warning}, expect: []string{"^x$"}, writes: []string{warningLine + "\nx\n"}, want: Failed, wantClass: failure.Warning, wantLine: warningLine},
		{name: "another warning to fail on", failOn: []failure.Class{failure.Lockdep}, expect: []string{"^x$"}, writes: []string{warningLine + "\nx\n"}, want: Satisfied, wantLine: "x", wantSeen: 1},
		{name: "an expected warning", failOn: []failure.Class{failure.Warning}, expect: []string{"WARNING: ", "^x$"}, writes: []string{warningLine + "\nx\n"}, want: Satisfied, wantLine: "x", wantSeen: 2},
		{name: "an expected kind is allowed from there on", unordered: []string{"Kernel panic", "^x$"}, writes: []string{panicLine + "\n---[ end " + panicLine + " ]---\nx\n"}, want: Satisfied, wantLine: "x", wantSeen: 2},
		{name: "half a message has no class", writes: []string{"Kernel panic - not syncing: Attem", idle, "pted to kill init! exitcode=0x00000100\n"}, want: Failed, wantClass: failure.InitFailed, wantLine: "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Rules{Criteria: Criteria{
				Expect:          patterns(test.expect...),
				ExpectUnordered: patterns(test.unordered...),
				AllowFailures:   test.allow,
				FailOn:          test.failOn,
				Forbid:          patterns(test.forbid...),
			}}
			for _, p := range test.input {
				r.Input = append(r.Input, Prompt{regexp.MustCompile(p), p})
			}
			if test.exitCode != "" {
				r.ExitCodePattern = regexp.MustCompile(test.exitCode)
			}
			w := NewWatcher(r)
			for _, s := range test.writes {
				switch s {
				case idle:
					w.Idle()
				case eof:
					w.Close()
				default:
					io.WriteString(w, s)
				}
			}
			f := w.Finding()
			if f.Outcome != test.want || f.Class != test.wantClass || f.Line != test.wantLine {
				t.Errorf("finding %d %q %q, want %d %q %q", f.Outcome, f.Class, f.Line, test.want, test.wantClass, test.wantLine)
			}
			if seen := len(w.Expectations()) - len(w.Missing()); seen != test.wantSeen {
				t.Errorf("seen %d patterns, want %d", seen, test.wantSeen)
			}
			if got := w.TakeInput(); got != test.wantInput {
				t.Errorf("input %q, want %q", got, test.wantInput)
			}
			if f.Class == failure.Forbidden && !f.Pattern.MatchString(f.Line) {
				t.Errorf("pattern %q does not match %q", f.Pattern, f.Line)
			}
		})
	}
}

func TestTail(t *testing.T) {
	w := NewWatcher(Rules{})
	if got := w.Tail(); len(got) != 0 {
		t.Errorf("tail of nothing: %q", got)
	}
	io.WriteString(w, "one\ntwo")
	if diff := cmp.Diff([]string{"one", "two"}, w.Tail()); diff != "" {
		t.Errorf("tail (-want +got):\n%s", diff)
	}
	for i := range 100 {
		fmt.Fprintf(w, "\nline %d", i)
	}
	got := w.Tail()
	if len(got) != TailLines || got[0] != "line 20" || got[TailLines-1] != "line 99" {
		t.Errorf("tail of %d lines, %q to %q", len(got), got[0], got[len(got)-1])
	}
}

func TestWatcherMemory(t *testing.T) {
	w := NewWatcher(Rules{Criteria: Criteria{Expect: patterns("never")}})
	chunk := []byte(strings.Repeat("x", 32<<10))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 1000 { // 32 MB without a newline
		w.Write(chunk)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	const most = 2 * TailLines * MaxLine
	if after.HeapAlloc > before.HeapAlloc+most {
		t.Errorf("%d bytes more in use, want at most %d", after.HeapAlloc-before.HeapAlloc, most)
	}
	runtime.KeepAlive(w)
}
