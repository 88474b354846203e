package console

import (
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func patterns(exprs ...string) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, e := range exprs {
		out = append(out, regexp.MustCompile(e))
	}
	return out
}

// idle and eof stand for calls of Idle and Close between writes.
const (
	idle = "<idle>"
	eof  = "<eof>"
)

func TestWatcher(t *testing.T) {
	const panicLine = "Kernel panic - not syncing: No working init found."
	for _, test := range []struct {
		name     string
		expect   []string
		forbid   []string
		writes   []string
		want     Outcome
		wantLine string
		wantSeen int
	}{
		{name: "nothing", expect: []string{"a"}},
		{name: "seen", expect: []string{"^a$"}, writes: []string{"a\n"}, want: Satisfied, wantLine: "a", wantSeen: 1},
		{name: "in order", expect: []string{"a", "b"}, writes: []string{"a\nx\nb\n"}, want: Satisfied, wantLine: "b", wantSeen: 2},
		{name: "out of order", expect: []string{"a", "b"}, writes: []string{"b\na\n"}, wantSeen: 1},
		{name: "a line answers one pattern", expect: []string{"login", "login"}, writes: []string{"login login\n"}, wantSeen: 1},
		{name: "a line each", expect: []string{"login", "login"}, writes: []string{"login\nlogin\n"}, want: Satisfied, wantLine: "login", wantSeen: 2},
		{name: "divided in the pattern", expect: []string{"hello world"}, writes: []string{"hel", "lo wo", "rld\n"}, want: Satisfied, wantLine: "hello world", wantSeen: 1},
		{name: "not across lines", expect: []string{`a\s+b`}, writes: []string{"a\nb\n"}},
		{name: "unfinished", expect: []string{"login: $"}, writes: []string{"login: "}},
		{name: "prompt", expect: []string{"login: $"}, writes: []string{"login: ", idle}, want: Satisfied, wantLine: "login: ", wantSeen: 1},
		{name: "prompt at the end", expect: []string{"login: $"}, writes: []string{"login: ", eof}, want: Satisfied, wantLine: "login: ", wantSeen: 1},
		{name: "prompt, asked twice", expect: []string{"#", "#"}, writes: []string{"# ", idle, idle, "ls\n"}, wantSeen: 1},
		{name: "two prompts", expect: []string{"#", "#"}, writes: []string{"# ", idle, "ls\n# ", idle}, want: Satisfied, wantLine: "# ", wantSeen: 2},
		{name: "half a line is no line", expect: []string{"PASS$"}, writes: []string{"PASS", "ED 0 of 5\n", idle}},
		{name: "forbidden", expect: []string{"b"}, forbid: []string{"x", "bad"}, writes: []string{"a bad one\nb\n"}, want: Forbidden, wantLine: "a bad one"},
		{name: "forbidden before expected", expect: []string{"a"}, forbid: []string{"a"}, writes: []string{"a\n"}, want: Forbidden, wantLine: "a"},
		{name: "forbidden after a prompt", expect: []string{"#", "b"}, forbid: []string{"bad"}, writes: []string{"# ", idle, "bad\n"}, want: Forbidden, wantLine: "# bad", wantSeen: 1},
		{name: "forbidden too late", expect: []string{"a"}, forbid: []string{"bad"}, writes: []string{"a\nbad\n"}, want: Satisfied, wantLine: "a", wantSeen: 1},
		{name: "panic", expect: []string{"init"}, writes: []string{"[    1.5] " + panicLine + "\r\ninit\n"}, want: Panicked, wantLine: panicLine},
		{name: "panic, divided", writes: []string{"[    1.5] Kernel panic - not syn", "cing: No working init found.\n"}, want: Panicked, wantLine: panicLine},
		{name: "panic after a prompt", expect: []string{"#", "b"}, writes: []string{"# ", idle, panicLine + "\n"}, want: Panicked, wantLine: panicLine, wantSeen: 1},
		{name: "panic after text without end", writes: []string{strings.Repeat(".", 3*MaxLine), panicLine + "\n"}, want: Panicked, wantLine: panicLine},
		{name: "panic expected", expect: []string{"Kernel panic - .*working init"}, writes: []string{panicLine + "\n"}, want: Satisfied, wantLine: panicLine, wantSeen: 1},
		{name: "panic expected, unfinished", expect: []string{"Kernel panic", "end trace"}, writes: []string{panicLine, idle, "\n--- end trace\n"}, want: Satisfied, wantLine: "--- end trace", wantSeen: 2},
		{name: "escape sequences", expect: []string{"^ok$"}, writes: []string{"\x1b[32mo\x1b[", "0mk\r\n"}, want: Satisfied, wantLine: "ok", wantSeen: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := NewWatcher(patterns(test.expect...), patterns(test.forbid...))
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
			if f.Outcome != test.want || f.Line != test.wantLine {
				t.Errorf("finding %d %q, want %d %q", f.Outcome, f.Line, test.want, test.wantLine)
			}
			if w.Seen() != test.wantSeen {
				t.Errorf("seen %d patterns, want %d", w.Seen(), test.wantSeen)
			}
			if f.Outcome == Forbidden && !f.Pattern.MatchString(f.Line) {
				t.Errorf("pattern %q does not match %q", f.Pattern, f.Line)
			}
		})
	}
}

func TestTail(t *testing.T) {
	w := NewWatcher(nil, nil)
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
	w := NewWatcher(patterns("never"), nil)
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
