//go:build linux

package runner

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemutest"
)

func TestMain(m *testing.M) { qemutest.Main(m) }

// A run is a configuration and a session to change before they are booted.
type run struct {
	config  config.Config
	session Session

	stdout, stderr bytes.Buffer
}

func newRun(t *testing.T, script string) *run {
	r := &run{
		config: config.Config{
			Label:     "//x:y",
			Arch:      "x86_64",
			QEMU:      qemutest.Executable(t),
			Kernel:    qemutest.Kernel(t, script),
			MemoryMiB: 512,
			CPUs:      1,
		},
		session: Session{
			TimeLimit: 30 * time.Second, // for a test that fails
			TempDir:   t.TempDir(),
			ProbeKVM:  func(string) error { return errors.New("not in a test") },
			Rlocation: func(path string) (string, error) {
				return "", fmt.Errorf("no runfile %s", path)
			},
		},
	}
	return r
}

func (r *run) boot() int {
	r.session.Stdout, r.session.Stderr = &r.stdout, &r.stderr
	return Run(&r.config, r.session)
}

func compile(exprs []string) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, e := range exprs {
		out = append(out, regexp.MustCompile(e))
	}
	return out
}

// check compares the report, whose time is replaced with T, with want: equal
// to its first line, and with every other line in it.
func (r *run) check(t *testing.T, code, wantCode int, want ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	report := regexp.MustCompile(`after \d+\.\d s:`).ReplaceAllString(r.stderr.String(), "after T:")
	sentence, rest, _ := strings.Cut(report, "\n")
	if sentence != want[0] {
		t.Errorf("sentence\n%s\nwant\n%s", sentence, want[0])
	}
	for _, line := range want[1:] {
		if !strings.Contains("\n"+rest, "\n"+line+"\n") {
			t.Errorf("no line %q in the report:\n%s", line, report)
		}
	}
	if wantCode == ExitSuccess && strings.Contains(rest, "--- console") {
		t.Errorf("the console of a success:\n%s", report)
	}
	left, err := os.ReadDir(r.session.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

func TestVerdicts(t *testing.T) {
	const panicText = `print "[    1.0] Kernel panic - not syncing: Fatal exception\r\n"` + "\n"
	for _, test := range []struct {
		name           string
		script         string
		expect, forbid []string
		limit          time.Duration
		interactive    bool
		wantCode       int
		want           []string // see check
	}{
		{
			name:   "seen",
			script: `print "Linux version\r\nhello\r\n"` + "\nhang",
			expect: []string{"hello"},
			want:   []string{"boot: //x:y: passed after T: the pattern was seen"},
		},
		{
			name:   "all seen, the output divided",
			script: `print "Linux ver"` + "\nsleep 20ms\n" + `print "sion 7\r\nhel"` + "\nsleep 20ms\n" + `print "lo\r\n"` + "\nhang",
			expect: []string{`Linux version \d`, "^hello$"},
			want:   []string{"boot: //x:y: passed after T: all 2 patterns were seen"},
		},
		{
			name:   "prompt",
			script: `print "hello login: "` + "\nhang",
			expect: []string{"login: $"},
			want:   []string{"boot: //x:y: passed after T: the pattern was seen"},
		},
		{
			name:   "seen as QEMU exits",
			script: `print "bye"` + "\nexit 3",
			expect: []string{"bye"},
			want:   []string{"boot: //x:y: passed after T: the pattern was seen"},
		},
		{
			name:   "deaf to SIGTERM",
			script: "deaf\n" + `print "hello\n"` + "\nhang",
			expect: []string{"hello"},
			want:   []string{"boot: //x:y: passed after T: the pattern was seen"},
		},
		{
			name:   "clean exit",
			script: `print "bye\n"`,
			want:   []string{"boot: //x:y: passed after T: the guest ended"},
		},
		{
			name:     "forbidden",
			script:   `print "fine\nBUG: bad page\n"` + "\nhang",
			expect:   []string{"hello"},
			forbid:   []string{"Oops", "BUG:"},
			wantCode: ExitFailure,
			want:     []string{`boot: //x:y: forbidden after T: pattern "BUG:" is in: BUG: bad page`, "--- console, last 2 lines", "fine"},
		},
		{
			name:     "panic, then the trace and QEMU's exit",
			script:   panicText + "sleep 50ms\n" + `print "CPU: 0 PID: 1\n"`,
			wantCode: ExitFailure,
			want:     []string{"boot: //x:y: panic after T: Kernel panic - not syncing: Fatal exception", "CPU: 0 PID: 1"},
		},
		{
			name:     "panic, then nothing",
			script:   panicText + "hang",
			expect:   []string{"hello"},
			wantCode: ExitFailure,
			want:     []string{"boot: //x:y: panic after T: Kernel panic - not syncing: Fatal exception"},
		},
		{
			name:     "panic in the time limit's last moment",
			script:   panicText + "hang",
			limit:    900 * time.Millisecond, // less than the aftermath
			wantCode: ExitFailure,
			want:     []string{"boot: //x:y: panic after T: Kernel panic - not syncing: Fatal exception"},
		},
		{
			name:     "exit before all was seen",
			script:   `print "one\n"`,
			expect:   []string{"one", "two", "three"},
			wantCode: ExitFailure,
			want:     []string{`boot: //x:y: missing-at-end after T: the guest ended, still missing: expect 2 of 3 "two"`, "one"},
		},
		{
			name:     "exit with a complaint",
			script:   `stderr "qemu: could not load kernel\n"` + "\nexit 1",
			wantCode: ExitFailure,
			want:     []string{"boot: //x:y: qemu-not-started: QEMU ended at once (exit status 1): qemu: could not load kernel", "--- QEMU's standard error", "qemu: could not load kernel"},
		},
		{
			name:     "time limit",
			script:   `print "one\n"` + "\nhang",
			expect:   []string{"one", `two \d`},
			limit:    3 * time.Second,
			wantCode: ExitFailure,
			want:     []string{`boot: //x:y: missing-at-limit after T: the time limit, still missing: expect 2 of 2 "two \d"`, "one"},
		},
		{
			name:     "time limit, nothing expected",
			script:   "deaf\n" + `print "one\n"` + "\nhang",
			limit:    3 * time.Second,
			wantCode: ExitFailure,
			want:     []string{"boot: //x:y: not-ended after T: the time limit, and the guest has not ended"},
		},
		{
			name:     "endless line",
			script:   "flood 5000000\n" + `print "\nhello\n"` + "\nhang",
			expect:   []string{"hello"},
			wantCode: ExitSuccess,
			want:     []string{"boot: //x:y: passed after T: the pattern was seen"},
		},
		{
			name:        "interactive, clean exit",
			script:      `print "bye\n"`,
			interactive: true,
			want:        []string{"boot: //x:y: passed after T: the guest ended"},
		},
		{
			name:        "interactive, panic",
			script:      panicText,
			interactive: true,
			wantCode:    ExitFailure,
			want:        []string{"boot: //x:y: panic after T: Kernel panic - not syncing: Fatal exception"},
		},
		{
			name:        "interactive, exit with an error",
			script:      "exit 1",
			interactive: true,
			wantCode:    ExitFailure,
			want:        []string{"boot: //x:y: qemu-not-started: QEMU ended at once (exit status 1)"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, test.script)
			r.config.Expect, r.config.Forbid = compile(test.expect), compile(test.forbid)
			r.config.Interactive = test.interactive
			if test.interactive {
				stdin, err := os.Open(os.DevNull)
				if err != nil {
					t.Fatal(err)
				}
				defer stdin.Close()
				r.session.Stdin = stdin
			}
			if test.limit > 0 {
				r.session.TimeLimit = test.limit
			}
			r.check(t, r.boot(), test.wantCode, test.want...)
		})
	}
}

func TestCannotStart(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	r.config.QEMU = "/nonexistent/qemu"
	r.check(t, r.boot(), ExitFailure, "boot: //x:y: qemu-not-started: fork/exec /nonexistent/qemu: no such file or directory")

	r = newRun(t, "")
	r.config.Kernel = "_main/kernel"
	r.check(t, r.boot(), ExitFailure, "boot: //x:y: qemu-not-started: no runfile _main/kernel")

	r = newRun(t, "")
	r.config.Initramfs = []string{r.config.Kernel, "/nonexistent/b.cpio"}
	r.check(t, r.boot(), ExitFailure, "boot: //x:y: qemu-not-started: joining the initramfs: open /nonexistent/b.cpio: no such file or directory")
}

func TestSignal(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "one\n"`+"\nhang")
	r.config.Expect = compile([]string{"two"})
	signals := make(chan os.Signal, 1)
	r.session.Signals = signals
	signals <- syscall.SIGTERM
	r.check(t, r.boot(), ExitFailure, `boot: //x:y: stopped after T: by a signal (terminated), still missing: expect "two"`)
}

func TestInitramfs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, data := range map[string]string{"a.cpio": "aaaaa", "b.cpio": "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		names []string
		want  string
	}{
		{[]string{"_main/a.cpio"}, `^"aaaaa"$`},
		{[]string{"_main/a.cpio", dir + "/b.cpio"}, `^"aaaaa\\x00\\x00\\x00b"$`},
	} {
		r := newRun(t, "initrd")
		r.config.Initramfs = test.names
		r.config.Expect = compile([]string{test.want})
		r.session.Rlocation = func(path string) (string, error) {
			name, ok := strings.CutPrefix(path, "_main/")
			if !ok {
				return "", errors.New("not a runfile")
			}
			return filepath.Join(dir, name), nil
		}
		r.check(t, r.boot(), ExitSuccess, "boot: //x:y: passed after T: the pattern was seen")
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "\x1b[1mone\r\ntwo"`+"\nexit 1")
	r.config.Append = []string{"it's"}
	r.session.OutputsDir = t.TempDir()
	log := filepath.Join(r.session.OutputsDir, "console.log")
	r.check(t, r.boot(), ExitFailure, "boot: //x:y: qemu-died after T: exit status 1",
		"--- console, last 2 lines", "one", "two", "--- whole console: console.log in test.outputs, beside test.log")

	if got, err := os.ReadFile(log); err != nil || string(got) != "\x1b[1mone\r\ntwo" {
		t.Errorf("console.log: %q, %v", got, err)
	}
	command, err := os.ReadFile(filepath.Join(r.session.OutputsDir, "qemu-command.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(command); !strings.HasPrefix(got, r.config.QEMU+" -no-user-config ") ||
		!strings.HasSuffix(got, ` -append 'console=ttyS0 panic=-1 no_timer_check=1 it'\''s'`+"\n") {
		t.Errorf("qemu-command.txt: %s", got)
	}
}

// TestLogIsWrittenAsItComes reads the log while the guest runs.
func TestLogIsWrittenAsItComes(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "one"`+"\nhang")
	r.session.OutputsDir = t.TempDir()
	signals := make(chan os.Signal)
	r.session.Signals = signals
	code := make(chan int)
	go func() { code <- r.boot() }()
	for range 1000 {
		got, _ := os.ReadFile(filepath.Join(r.session.OutputsDir, "console.log"))
		if string(got) == "one" {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	got, err := os.ReadFile(filepath.Join(r.session.OutputsDir, "console.log"))
	if string(got) != "one" {
		t.Errorf("console.log: %q, %v", got, err)
	}
	signals <- os.Interrupt
	r.check(t, <-code, ExitFailure, "boot: //x:y: stopped after T: by a signal (interrupt)")
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "one\n"`+"\nhang")
	r.config.Expect = compile([]string{"one"})
	r.session.OutputsDir = t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(r.session.OutputsDir, "console.log")); err != nil {
		t.Skip(err)
	}
	if code := r.boot(); code != ExitSuccess {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(r.stderr.String(), "the console's log is incomplete: ") {
		t.Errorf("nothing said of the log:\n%s", &r.stderr)
	}
}

func TestInteractive(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "\x1b[1mlogin: "`+"\ninput\n"+`stderr "qemu: warning\n"`)
	r.config.Interactive = true
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	r.session.Stdin = in
	out.WriteString("root\n")
	if code := r.boot(); code != ExitSuccess {
		t.Errorf("exit code %d", code)
	}
	if got, want := r.stdout.String(), "\x1b[1mlogin: input \"root\\n\"\n"; got != want {
		t.Errorf("terminal %q, want %q", got, want)
	}
	if got := r.stderr.String(); !strings.HasPrefix(got, "qemu: warning\nboot: //x:y: passed after ") {
		t.Errorf("standard error %q", got)
	}
}

func TestExcerpt(t *testing.T) {
	if got := excerpt("short"); got != "short" {
		t.Errorf("excerpt %q", got)
	}
	if got := excerpt(strings.Repeat("é", 1000)); len(got) > 310 || !strings.HasSuffix(got, "é...") {
		t.Errorf("excerpt %q", got)
	}
}

// TestTerminalWords tells an interactive guest, and no other, of the terminal.
func TestTerminalWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		interactive bool
		term, want  string
	}{
		{true, "xterm-256color", `"console=ttyS0 panic=-1 no_timer_check=1 TERM=xterm-256color quiet"`},
		{true, "x y", `"console=ttyS0 panic=-1 no_timer_check=1 quiet"`},
		{true, "", `"console=ttyS0 panic=-1 no_timer_check=1 quiet"`},
		{false, "xterm", `"console=ttyS0 panic=-1 no_timer_check=1 quiet"`},
	} {
		r := newRun(t, "args")
		r.config.Interactive = test.interactive
		r.config.Append = []string{"quiet"}
		r.config.Expect = compile([]string{regexp.QuoteMeta(test.want)})
		r.session.Term = test.term
		stdin, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		r.session.Stdin = stdin
		r.check(t, r.boot(), ExitSuccess, "boot: //x:y: passed after T: the pattern was seen")
	}
}

// TestTerminalSize tells the guest the size of a terminal that has one.
func TestTerminalSize(t *testing.T) {
	t.Parallel()
	f := qemutest.Terminal(t)
	b := &boot{session: Session{Stdin: f}}
	if got := b.terminalWords(); len(got) > 0 {
		t.Errorf("a new terminal has no size: words %q", got)
	}
	if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"LINES=50", "COLUMNS=132"}, b.terminalWords()); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

// TestInteractiveGoesOn has an oops, which is for who sits in front of it to
// judge.
func TestInteractiveGoesOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		interactive bool
		code        int
		want        string
	}{
		{true, ExitSuccess, "boot: //x:y: passed after T: the guest ended"},
		{false, ExitFailure, "boot: //x:y: oops after T: Oops: Oops: 0002 [#1] SMP"},
	} {
		r := newRun(t, `print "[    1.000000] Oops: Oops: 0002 [#1] SMP\n"`)
		r.config.Interactive = test.interactive
		stdin, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		r.session.Stdin = stdin
		r.check(t, r.boot(), test.code, test.want)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	const panicLine = `print "Kernel panic - not syncing: x\n"` + "\n"
	for _, test := range []struct {
		script string
		code   int
		want   string
		seen   []string
	}{
		{`print "one\ntwo"` + "\nsleep 400ms\n" + `print "\nend\nthree\n"` + "\nhang", ExitSuccess, "passed after T: all was seen", []string{"one", "two", "end"}},
		{`print "one\n"`, ExitSuccess, "passed after T: the guest ended", []string{"one"}},
		{`print "one\n"` + "\n" + panicLine + "hang", ExitFailure, "panic after T: Kernel panic - not syncing: x", []string{"one"}},
	} {
		r := newRun(t, test.script)
		var seen []string
		r.session.Observe = func(line string) bool {
			seen = append(seen, line)
			return line == "end"
		}
		r.check(t, r.boot(), test.code, "boot: //x:y: "+test.want)
		if diff := cmp.Diff(test.seen, seen); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	}
}
