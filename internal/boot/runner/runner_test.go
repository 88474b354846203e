//go:build linux

package runner

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemutest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

func TestMain(m *testing.M) { qemutest.Main(m) }

// A run is a configuration and a session, to change before boot is called.
type run struct {
	script  string // of the kernel
	config  config.Config
	session Session

	stdout, stderr bytes.Buffer
}

func newRun(t *testing.T, script string) *run {
	r := &run{
		script: script,
		config: config.Config{
			Label:     "//x:y",
			Arch:      "x86_64",
			QEMU:      qemutest.Executable(t),
			Kernel:    qemutest.Kernel(t, script),
			MemoryMiB: 512,
			CPUs:      1,
		},
		session: Session{
			TimeLimit: time.Hour, // if a test fails
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

// limitAtEnd makes the boot reach its time limit when the console has shown all that the script
// prints.
func (r *run) limitAtEnd(t *testing.T) {
	t.Helper()
	last := ""
	for _, verb := range regexp.MustCompile(`(?m)^print (.*)$`).FindAllStringSubmatch(r.script, -1) {
		text, err := strconv.Unquote(verb[1])
		if err != nil {
			t.Fatal(err)
		}
		last = text
	}
	r.session.OutputsDir = cmp.Or(r.session.OutputsDir, t.TempDir())
	log := filepath.Join(r.session.OutputsDir, consoleLog)
	limit := make(chan time.Time)
	r.session.limit = limit
	go func() {
		defer close(limit)
		qemutest.Await(func() bool {
			text, err := os.ReadFile(log)
			return err == nil && strings.HasSuffix(string(text), last)
		})
	}()
}

func compile(exprs []string) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, e := range exprs {
		out = append(out, regexp.MustCompile(e))
	}
	return out
}

// check checks the exit code, and the class of the failure: "passed" for none. The other
// lines must be in the report. It returns the report's sentence, with T for the time, and
// its headings.
func (r *run) check(t *testing.T, code int, class failure.Class, lines ...string) (text string) {
	t.Helper()
	if (code == ExitSuccess) != (class == passed) {
		t.Errorf("exit code %d, want class %s", code, class)
	}
	report := regexp.MustCompile(`after \d+\.\d s:`).ReplaceAllString(r.stderr.String(), "after T:")
	sentence, rest, _ := strings.Cut(report, "\n")
	if !regexp.MustCompile(`^boot: //x:y: ` + string(class) + `(?: after T)?: `).MatchString(sentence) {
		t.Errorf("class %s is not in the sentence: %s", class, sentence)
	}
	for _, line := range lines {
		if !strings.Contains("\n"+rest, "\n"+line+"\n") {
			t.Errorf("no line %q in the report:\n%s", line, report)
		}
	}
	if class == passed && strings.Contains(rest, "--- end of the console") {
		t.Errorf("the boot passed, but the report has the console:\n%s", report)
	}
	left, err := os.ReadDir(r.session.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
	headings := regexp.MustCompile(`(?m)^---.*$`).FindAllString(rest, -1)
	return strings.Join(append([]string{sentence}, headings...), "\n")
}

// passed takes the place of a class in the sentence of a boot that passed.
const passed failure.Class = "passed"

// texts collects the reports of parallel tests for a golden file.
type texts struct {
	mu    sync.Mutex
	texts map[string]string
}

// newTexts compares the texts with the golden file of the package when t and its subtests have ended. It
// skips that if only some of the cases were run.
func newTexts(t *testing.T, cases int) *texts {
	x := &texts{texts: map[string]string{}}
	t.Cleanup(func() {
		if len(x.texts) == cases {
			golden.Section(t, "messages.txt", x.texts)
		}
	})
	return x
}

func (x *texts) add(name, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.texts[name] = text
}

func TestVerdicts(t *testing.T) {
	const panicText = `print "[    1.0] Kernel panic - not syncing: Fatal exception\r\n"` + "\n"
	tests := []struct {
		name           string
		script         string
		expect, forbid []string
		limit          bool // it reaches the time limit
		interactive    bool
		class          failure.Class // empty if it passes
		lines          []string      // in the report
	}{
		{
			name:   "seen",
			script: `print "Linux version\r\nhello\r\n"` + "\nhang",
			expect: []string{"hello"},
		},
		{
			name:   "all seen, the output divided",
			script: `print "Linux ver"` + "\nsleep 20ms\n" + `print "sion 7\r\nhel"` + "\nsleep 20ms\n" + `print "lo\r\n"` + "\nhang",
			expect: []string{`Linux version \d`, "^hello$"},
		},
		{
			name:   "prompt",
			script: `print "hello login: "` + "\nhang",
			expect: []string{"login: $"},
		},
		{
			name:   "seen as QEMU exits",
			script: `print "bye"` + "\nexit 3",
			expect: []string{"bye"},
		},
		{
			name:   "ignores SIGTERM",
			script: "deaf\n" + `print "hello\n"` + "\nhang",
			expect: []string{"hello"},
		},
		{
			name:   "clean exit",
			script: `print "bye\n"`,
		},
		{
			name:   "forbidden",
			script: `print "fine\nBUG: bad page\n"` + "\nhang",
			expect: []string{"hello"},
			forbid: []string{"Oops", "BUG:"},
			class:  failure.Forbidden,
			lines:  []string{"fine"},
		},
		{
			name:   "panic, then the trace and QEMU's exit",
			script: panicText + "sleep 50ms\n" + `print "CPU: 0 PID: 1\n"`,
			class:  failure.Panic,
			lines:  []string{"CPU: 0 PID: 1"},
		},
		{
			name:   "panic, then nothing",
			script: panicText + "hang",
			expect: []string{"hello"},
			class:  failure.Panic,
		},
		{
			name:   "panic in the time limit's last moment",
			script: panicText + "hang",
			limit:  true, // before the aftermath has ended
			class:  failure.Panic,
		},
		{
			name:   "exit before all was seen",
			script: `print "one\n"`,
			expect: []string{"one", "two", "three"},
			class:  failure.MissingAtEnd,
			lines:  []string{"one"},
		},
		{
			name:   "exit with a complaint",
			script: `stderr "qemu: could not load kernel\n"` + "\nexit 1",
			class:  failure.QEMUNotStarted,
			lines:  []string{"qemu: could not load kernel"},
		},
		{
			name:   "time limit",
			script: `print "one\n"` + "\nhang",
			expect: []string{"one", `two \d`},
			limit:  true,
			class:  failure.MissingAtLimit,
			lines:  []string{"one"},
		},
		{
			name:   "time limit, nothing expected",
			script: "deaf\n" + `print "one\n"` + "\nhang",
			limit:  true,
			class:  failure.NotEnded,
		},
		{
			name:   "endless line",
			script: "flood 5000000\n" + `print "\nhello\n"` + "\nhang",
			expect: []string{"hello"},
		},
		{
			name:        "interactive, clean exit",
			script:      `print "bye\n"`,
			interactive: true,
		},
		{
			name:        "interactive, panic",
			script:      panicText,
			interactive: true,
			class:       failure.Panic,
		},
		{
			name:        "interactive, exit with an error",
			script:      "exit 1",
			interactive: true,
			class:       failure.QEMUNotStarted,
		},
	}
	texts := newTexts(t, len(tests))
	for _, test := range tests {
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
			if test.limit {
				r.limitAtEnd(t)
			}
			texts.add(test.name, r.check(t, r.boot(), cmp.Or(test.class, passed), test.lines...))
		})
	}
}

func TestCannotStart(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*run){
		"QEMU":      func(r *run) { r.config.QEMU = "/nonexistent/qemu" },
		"runfile":   func(r *run) { r.config.Kernel = "_main/kernel" },
		"initramfs": func(r *run) { r.config.Initramfs = []string{r.config.Kernel, "/nonexistent/b.cpio"} },
	}
	texts := newTexts(t, len(tests))
	for name, change := range tests {
		r := newRun(t, "")
		change(r)
		texts.add(name, r.check(t, r.boot(), failure.QEMUNotStarted))
	}
}

func TestSignal(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "one\n"`+"\nhang")
	r.config.Expect = compile([]string{"two"})
	signals := make(chan os.Signal, 1)
	r.session.Signals = signals
	signals <- syscall.SIGTERM
	r.check(t, r.boot(), failure.Stopped)
}

// TestLongestCommandLine has a command line that is as long as the kernel takes.
func TestLongestCommandLine(t *testing.T) {
	t.Parallel()
	r := newRun(t, "args")
	const others = "console=ttyS0 panic=-1 no_timer_check=1 "
	r.config.KernelArgs = []string{strings.Repeat("x", 2047-len(others))}
	r.config.Expect = compile([]string{others + "x+\""})
	r.check(t, r.boot(), passed)
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
		r.check(t, r.boot(), passed)
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "\x1b[1mone\r\ntwo"`+"\nexit 1")
	r.config.KernelArgs = []string{"it's"}
	r.session.OutputsDir = t.TempDir()
	log := filepath.Join(r.session.OutputsDir, "console.log")
	r.check(t, r.boot(), failure.QEMUDied, "one", "two")

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

// TestHostileConsole has a console that prints what a terminal would obey, and lines without
// end: what is shown of it is printable and short.
func TestHostileConsole(t *testing.T) {
	t.Parallel()
	r := newRun(t, strings.Repeat("flood 65536\n"+`print "\n"`+"\n", 100)+
		`print "one \x9b \u009b \u202e \x00\x02 \xff\n"`+"\n"+`stderr "qemu: \x1b[31m\u009b\n"`+"\n"+"exit 1")
	r.config.Expect = compile([]string{"one", "two"})
	r.session.OutputsDir, r.session.XMLFile = t.TempDir(), filepath.Join(t.TempDir(), "test.xml")
	r.check(t, r.boot(), failure.QEMUDied, `one \233 \302\233 \342\200\256 \002 \377`)
	for _, file := range []string{r.session.XMLFile, filepath.Join(r.session.OutputsDir, "result.json")} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if printable.Lines(string(text)) != string(text) || len(text) > 200_000 {
			t.Errorf("%s has %d bytes, or is not printable", file, len(text))
		}
	}
	if text := r.stderr.String(); printable.Lines(text) != text || len(text) > 200_000 || !strings.Contains(text, "...... [65536 bytes, cut after 1000]\n") {
		t.Errorf("a report of %d bytes, or not printable:\n%.3000s", len(text), text)
	}
	readXML(t, r.session.XMLFile)
}

// TestLogIsWrittenAtOnce reads the log while the guest runs.
func TestLogIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "one"`+"\nhang")
	r.session.OutputsDir = t.TempDir()
	signals := make(chan os.Signal)
	r.session.Signals = signals
	code := make(chan int)
	go func() { code <- r.boot() }()
	qemutest.Await(func() bool {
		got, _ := os.ReadFile(filepath.Join(r.session.OutputsDir, "console.log"))
		return string(got) == "one"
	})
	got, err := os.ReadFile(filepath.Join(r.session.OutputsDir, "console.log"))
	if string(got) != "one" {
		t.Errorf("console.log: %q, %v", got, err)
	}
	signals <- os.Interrupt
	r.check(t, <-code, failure.Stopped)
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
	if !strings.Contains(r.stderr.String(), "console.log is incomplete: ") {
		t.Errorf("the report does not mention the log:\n%s", &r.stderr)
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
	if got := excerpt("short", maxExcerpt); got != "short" {
		t.Errorf("excerpt %q", got)
	}
	if got := excerpt(strings.Repeat("é", 1000), maxExcerpt); len(got) > 310 || !strings.HasSuffix(got, "é...") {
		t.Errorf("excerpt %q", got)
	}
}

// TestTerminalArgs checks that only an interactive guest gets to know the terminal.
func TestTerminalArgs(t *testing.T) {
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
		r.config.KernelArgs = []string{"quiet"}
		r.config.Expect = compile([]string{regexp.QuoteMeta(test.want)})
		r.session.Term = test.term
		stdin, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		r.session.Stdin = stdin
		r.check(t, r.boot(), passed)
	}
}

// TestTerminalSize checks that the guest gets to know the terminal's size, if it has one.
func TestTerminalSize(t *testing.T) {
	t.Parallel()
	f := qemutest.Terminal(t)
	b := &boot{session: Session{Stdin: f}}
	if got := b.terminalArgs(); len(got) > 0 {
		t.Errorf("a new terminal has no size: words %q", got)
	}
	if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132}); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]string{"LINES=50", "COLUMNS=132"}, b.terminalArgs()); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

// TestInteractiveContinues has an oops, after which an interactive user may continue.
func TestInteractiveContinues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		interactive bool
		class       failure.Class
	}{
		{true, passed},
		{false, failure.Oops},
	} {
		r := newRun(t, `print "[    1.000000] Oops: Oops: 0002 [#1] SMP\n"`)
		r.config.Interactive = test.interactive
		stdin, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		r.session.Stdin = stdin
		r.check(t, r.boot(), test.class)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	const panicLine = `print "Kernel panic - not syncing: x\n"` + "\n"
	for _, test := range []struct {
		script string
		class  failure.Class
		seen   []string
	}{
		{`print "one\ntwo"` + "\nsleep 400ms\n" + `print "\nend\nthree\n"` + "\nhang", passed, []string{"one", "two", "end"}},
		{`print "one\n"`, failure.MissingAtEnd, []string{"one"}},
		{`print "one\n"` + "\n" + panicLine + "hang", failure.Panic, []string{"one"}},
	} {
		r := newRun(t, test.script)
		var seen []string
		r.session.Observe = func(line string) bool {
			seen = append(seen, line)
			return line == "end"
		}
		r.check(t, r.boot(), test.class)
		if diff := gocmp.Diff(test.seen, seen); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	}
}
