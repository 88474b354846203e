//go:build linux

package runner

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/report"
)

const banner = `print "[    0.000000] Linux version 7.2\r\n"` + "\n"

// TestClasses has a guest for each class of failure, which tells it alone.
func TestClasses(t *testing.T) {
	says := func(text string) string { return banner + `print "[    1.000000] ` + text + `\r\n"` + "\n" }
	for _, test := range []struct {
		class  failure.Class
		name   string
		script string
		set    func(*run)
		want   string // the sentence, its time left out
	}{
		{
			class: failure.QEMUNotStarted, name: "not there",
			set:  func(r *run) { r.config.QEMU = "/nonexistent/qemu" },
			want: "fork/exec /nonexistent/qemu: no such file or directory",
		},
		{
			class: failure.QEMUNotStarted, name: "refuses", script: `stderr "first\nno such machine\n"` + "\nexit 1",
			want: "QEMU ended at once (exit status 1): no such machine",
		},
		{
			class: failure.QEMUNotStarted, name: "refuses, with a hint", script: `stderr "qemu-system-x86_64: warning: w\nqemu-system-x86_64: no such machine\nUse help\n"` + "\nexit 1",
			want: "QEMU ended at once (exit status 1): qemu-system-x86_64: no such machine",
		},
		{
			class: failure.QEMUNotStarted, name: "no KVM",
			set:  func(r *run) { r.config.KVM = config.KVMOn },
			want: `kvm = "on", but KVM cannot run the guest: not in a test`,
		},
		{
			class: failure.KernelNotStarted, name: "silent", script: "hang",
			want: "the time limit, and the kernel has shown nothing",
		},
		{
			class: failure.KernelNotStarted, name: "reset",
			want: "the machine stopped, and the kernel had shown nothing",
		},
		{
			class: failure.KernelNotStarted, name: "firmware alone", script: `print "OpenSBI v1.6\nBoot HART ID : 0\n"` + "\nhang",
			set:  func(r *run) { r.config.Arch = "riscv64" },
			want: "the time limit, and the kernel has shown nothing",
		},
		{
			class: failure.KernelNotStarted, name: "another firmware alone", script: `print "BdsDxe: loading\n"` + "\nhang",
			set:  func(r *run) { r.config.Firmware = r.config.Kernel },
			want: "the time limit, and the kernel has shown nothing",
		},
		{
			class: failure.UnpackingFailed, name: "archive", script: says("Initramfs unpacking failed: no cpio magic") + "hang",
			want: "Initramfs unpacking failed: no cpio magic",
		},
		{
			class: failure.UnpackingFailed, name: "then no init", script: says("Initramfs unpacking failed: no cpio magic") + says("Kernel panic - not syncing: No working init found."),
			want: "Initramfs unpacking failed: no cpio magic",
		},
		{
			class: failure.InitFailed, name: "no program", script: says("Failed to execute /init (error -8)") + says("Kernel panic - not syncing: No working init found."),
			want: "/init is no program for this machine: Failed to execute /init (error -8)",
		},
		{
			class: failure.InitFailed, name: "ended", script: says("Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100") + "exit 0",
			want: "/init ended with status 1: Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
		},
		{
			class: failure.Panic, name: "panic", script: says("Kernel panic - not syncing: Fatal exception"),
			want: "Kernel panic - not syncing: Fatal exception",
		},
		{
			class: failure.Oops, name: "then a panic", script: says("BUG: kernel NULL pointer dereference, address: 0") + says("Kernel panic - not syncing: Fatal exception") + "hang",
			want: "BUG: kernel NULL pointer dereference, address: 0",
		},
		{
			class: failure.Bug, name: "bug", script: says("kernel BUG at mm/slub.c:1!") + "hang",
			want: "kernel BUG at mm/slub.c:1!",
		},
		{
			class: failure.Lockup, name: "lockup", script: says("watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [init:1]") + "hang",
			want: "BUG: soft lockup - CPU#0 stuck for 22s! [init:1]",
		},
		{
			class: failure.RCUStall, name: "stall", script: says("rcu: INFO: rcu_sched self-detected stall on CPU") + "hang",
			want: "self-detected stall on CPU",
		},
		{
			class: failure.Forbidden, name: "forbidden", script: says("Initramfs unpacking failed: x") + "hang",
			set:  func(r *run) { r.config.Forbid = compile([]string{"unpacking"}) },
			want: `pattern "unpacking" is in: [    1.000000] Initramfs unpacking failed: x`,
		},
		{
			class: failure.ExitCode, name: "exit code", script: says("tests: 3") + "hang",
			set:  func(r *run) { r.config.ExitCodePattern = regexp.MustCompile(`tests: (\d+)`) },
			want: "the guest reported 3: [    1.000000] tests: 3",
		},
		{
			class: failure.MissingAtLimit, name: "all kinds", script: says("a") + "hang",
			set: func(r *run) {
				r.config.Expect = compile([]string{" a", "B", "C"})
				r.config.ExpectUnordered = compile([]string{" a", "D", "E"})
				r.config.Input = []config.Prompt{{Expect: regexp.MustCompile("F")}, {Expect: regexp.MustCompile("G")}}
				r.config.ExitCodePattern = regexp.MustCompile(`h(\d)`)
			},
			want: `the time limit, still missing: expect 2 of 3 "B", expect_unordered 2 of 3 "D", expect_unordered 3 of 3 "E", input 1 of 2 "F", exit_code_pattern "h(\d)"`,
		},
		{
			class: failure.MissingAtEnd, name: "prompt", script: banner,
			set:  func(r *run) { r.config.Input = []config.Prompt{{Expect: regexp.MustCompile("login: $")}} },
			want: `the guest ended, still missing: input "login: $"`,
		},
		{
			class: failure.NotEnded, name: "hangs", script: banner + "hang",
			want: "the time limit, and the guest has not ended",
		},
		{
			class: failure.QEMUDied, name: "killed", script: banner + `stderr "out of memory\n"` + "\ndie",
			want: "signal: killed: out of memory",
		},
		{
			class: failure.QEMUDied, name: "killed at once", script: "die",
			want: "signal: killed",
		},
		{
			class: failure.QEMUDied, name: "ended with an error", script: banner + "exit 3",
			set:  func(r *run) { r.config.Expect = compile([]string{"never"}) },
			want: "exit status 3",
		},
		{
			class: failure.Stopped, name: "stopped", script: banner + "hang",
			set: func(r *run) {
				signals := make(chan os.Signal, 1)
				signals <- os.Interrupt
				r.session.Signals = signals
			},
			want: "by a signal (interrupt)",
		},
	} {
		t.Run(string(test.class)+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, test.script)
			r.session.TimeLimit = 5 * time.Second
			if strings.Contains(test.want, "time limit") {
				r.session.TimeLimit = 700 * time.Millisecond
			}
			if test.set != nil {
				test.set(r)
			}
			r.session.OutputsDir = t.TempDir()
			r.session.XMLFile = filepath.Join(t.TempDir(), "test.xml")

			started := time.Now()
			code := r.boot()
			// The limit, what a kernel has for its trace, and QEMU's grace.
			if took, most := time.Since(started), r.session.TimeLimit+3*time.Second; took > most {
				t.Errorf("took %v, more than %v", took, most)
			}
			if code != ExitFailure {
				t.Errorf("exit code %d", code)
			}
			sentence, _, _ := strings.Cut(r.stderr.String(), "\n")
			want := regexp.MustCompile(`^boot: //x:y: (` + string(test.class) + `(?: after \d+\.\d s)?: ` + regexp.QuoteMeta(test.want) + `)$`)
			m := want.FindStringSubmatch(sentence)
			if m == nil {
				t.Fatalf("sentence\n%s\nwant\n%s", sentence, want)
			}

			data, err := os.ReadFile(filepath.Join(r.session.OutputsDir, "result.json"))
			var got report.Report
			if err := errors.Join(err, json.Unmarshal(data, &got)); err != nil {
				t.Fatal(err)
			}
			if got.Passed || got.Class != test.class || got.Sentence != m[1] {
				t.Errorf("result %v %q %q, want %q %q", got.Passed, got.Class, got.Sentence, test.class, m[1])
			}
			failures := readXML(t, r.session.XMLFile).failures()
			if len(failures) == 0 || failures[0].Type != string(test.class) || failures[0].Message != m[1] {
				t.Errorf("failures in test.xml: %+v", failures)
			}
		})
	}
}

// A testXML is what Bazel reads.
type testXML struct {
	Cases []testCase `xml:"testsuite>testcase"`
}

type testCase struct {
	Name    string     `xml:"name,attr"`
	Failure *xmlReason `xml:"failure"`
	Skipped *struct{}  `xml:"skipped"`
}

type xmlReason struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
}

func readXML(t *testing.T, name string) *testXML {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var x testXML
	if err := xml.NewDecoder(bytes.NewReader(data)).Decode(&x); err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	return &x
}

func (x *testXML) failures() []xmlReason {
	var all []xmlReason
	for _, c := range x.Cases {
		if c.Failure != nil {
			all = append(all, *c.Failure)
		}
	}
	return all
}

// TestCases has the cases of test.xml: those seen, the one that failed, and
// those that were not reached.
func TestCases(t *testing.T) {
	t.Parallel()
	outcome := func(c testCase) string {
		switch {
		case c.Failure != nil:
			return c.Name + " failed"
		case c.Skipped != nil:
			return c.Name + " skipped"
		}
		return c.Name + " passed"
	}
	for _, test := range []struct {
		script string
		want   []string
	}{
		{
			banner + `print "one\ntwo\nthree\nfour \x1b[1m\x01\xff\n"` + "\nhang",
			[]string{"boot passed", "expect: one passed", "expect: two passed", "expect: three passed", "expect_unordered: four passed"},
		},
		{
			banner + `print "one\n"`,
			[]string{"boot passed", "expect: one passed", "expect: two failed", "expect: three skipped", "expect_unordered: four failed"},
		},
		{
			banner + `print "one\nKernel panic - not syncing: x\n"`,
			[]string{"boot failed", "expect: one passed", "expect: two skipped", "expect: three skipped", "expect_unordered: four skipped"},
		},
	} {
		r := newRun(t, test.script)
		r.config.Expect = compile([]string{"one", "two", "three"})
		r.config.ExpectUnordered = compile([]string{"four"})
		r.session.XMLFile = filepath.Join(t.TempDir(), "test.xml")
		r.boot()
		var got []string
		for _, c := range readXML(t, r.session.XMLFile).Cases {
			got = append(got, outcome(c))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("cases (-want +got):\n%s", diff)
		}
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	r := newRun(t, banner+"sleep 300ms\n"+`print "[    2.000000] Run /init as init process\r\nhello\r\n"`+"\nhang")
	r.config.Expect = compile([]string{"Run", "hello"})
	if code := r.boot(); code != ExitSuccess {
		t.Errorf("exit code %d\n%s", code, &r.stderr)
	}
	got := regexp.MustCompile(`(?m)^ +\d+\.\d s  `).ReplaceAllString(r.stderr.String(), "T ")
	_, got, _ = strings.Cut(got, "\n")
	const want = `--- timeline, from QEMU's start
T QEMU: emulated, without KVM: not in a test
T kernel: [    0.000000] Linux version 7.2
T init: [    2.000000] Run /init as init process
T expect 1 of 2: [    2.000000] Run /init as init process
T expect 2 of 2: hello
T passed
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	if !regexp.MustCompile(`(?m)^ +0\.[3-9] s  init`).MatchString(r.stderr.String()) {
		t.Errorf("the sleep is not in the times:\n%s", &r.stderr)
	}
}

func TestDialogue(t *testing.T) {
	t.Parallel()
	r := newRun(t, banner+`print "login: "`+"\ninput\n"+`print "# "`+"\ninput\nhang")
	r.config.Input = []config.Prompt{
		{Expect: regexp.MustCompile("login: $"), Send: "root\n"},
		{Expect: regexp.MustCompile("# $"), Send: "halt\n"},
	}
	r.config.Expect = compile([]string{`input "root\\n"`, `input "halt\\n"`})
	r.check(t, r.boot(), ExitSuccess, "boot: //x:y: passed after T: all 4 patterns were seen")
}

// TestDialogueNotRead types more than a pipe holds to a guest that does not
// read.
func TestDialogueNotRead(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "ready\n"`+"\nsleep 300ms\n"+`print "on\n"`+"\nexit 0")
	r.config.Input = []config.Prompt{
		{Expect: regexp.MustCompile("ready"), Send: strings.Repeat("x", 1<<20)},
		{Expect: regexp.MustCompile("on"), Send: "y"},
	}
	r.check(t, r.boot(), ExitSuccess, "boot: //x:y: passed after T: all 2 patterns were seen, and the guest ended")
}

func TestFiles(t *testing.T) {
	t.Parallel()
	in := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a": 0o644, "b": 0o755, "d/c": 0o600} {
		name = filepath.Join(in, name)
		os.Mkdir(filepath.Dir(name), 0o755)
		if err := os.WriteFile(name, []byte(name[len(in):]), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(in, "b"), filepath.Join(in, "d/link")); err != nil {
		t.Fatal(err)
	}
	r := newRun(t, "files\ntemp")
	r.config.Files = []string{filepath.Join(in, "a"), filepath.Join(in, "d")}
	r.config.Expect = compile([]string{
		`^/a -rw-r--r-- "/a"$`, `^/d/c -rw------- "/d/c"$`, `^/d/link -rwxr-xr-x "/b"$`, regexp.QuoteMeta(r.session.TempDir),
	})
	r.check(t, r.boot(), ExitSuccess, "boot: //x:y: passed after T: all 4 patterns were seen")

	r.config.Files = []string{filepath.Join(in, "a"), filepath.Join(in, "d", "..", "a")}
	r.stderr.Reset()
	r.check(t, r.boot(), ExitFailure, "boot: //x:y: qemu-not-started: files: two are called a")
}

func TestKVM(t *testing.T) {
	t.Parallel()
	yes, no := error(nil), errors.New("no such device")
	for _, test := range []struct {
		kvm   config.KVM
		probe error
		want  []string // in QEMU's arguments, and in the log
	}{
		{config.KVMAuto, yes, []string{`"-cpu" "host" "-accel" "kvm"`, "QEMU: run by KVM"}},
		{config.KVMAuto, no, []string{`"-cpu" "max" "-accel" "tcg"`, "QEMU: emulated, without KVM: no such device"}},
		{config.KVMOff, yes, []string{`"-cpu" "max" "-accel" "tcg"`, `QEMU: emulated, as kvm = "off" says`}},
		{config.KVMOn, yes, []string{`"-cpu" "host" "-accel" "kvm"`, "QEMU: run by KVM"}},
	} {
		r := newRun(t, "args")
		r.config.KVM = test.kvm
		r.config.Expect = compile([]string{regexp.QuoteMeta(test.want[0])})
		asked := ""
		r.session.ProbeKVM = func(goarch string) error { asked = goarch; return test.probe }
		r.check(t, r.boot(), ExitSuccess, "boot: //x:y: passed after T: the pattern was seen")
		if !strings.Contains(r.stderr.String(), test.want[1]+"\n") {
			t.Errorf("%s: no %q in\n%s", test.kvm, test.want[1], &r.stderr)
		}
		if test.kvm != config.KVMOff && asked != "amd64" {
			t.Errorf("%s: asked for %q", test.kvm, asked)
		}
	}
}
