//go:build linux

package runner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemutest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

const banner = `print "[    0.000000] Linux version 7.2\r\n"` + "\n"

// TestClasses has guests that fail with each class of failure.
func TestClasses(t *testing.T) {
	says := func(text string) string { return banner + `print "[    1.000000] ` + text + `\r\n"` + "\n" }
	tests := []struct {
		class  failure.Class
		name   string
		script string
		set    func(*run)
		limit  bool // it reaches the time limit
	}{
		{
			class: failure.QEMUNotStarted, name: "not there",
			set: func(r *run) { r.config.QEMU = "/nonexistent/qemu" },
		},
		{
			class: failure.QEMUNotStarted, name: "refuses", script: `stderr "first\nno such machine\n"` + "\nexit 1",
		},
		{
			class: failure.QEMUNotStarted, name: "refuses, with a hint", script: `stderr "qemu-system-x86_64: warning: w\nqemu-system-x86_64: no such machine\nUse help\n"` + "\nexit 1",
		},
		{
			class: failure.QEMUNotStarted, name: "no KVM",
			set: func(r *run) { r.config.KVM = config.KVMOn },
		},
		{
			class: failure.QEMUNotStarted, name: "kernel of another architecture", script: "hang",
			set: func(r *run) {
				kernel := r.config.Kernel
				r.config.Arch, r.config.Kernel = "arm64", "_main/kernel"
				r.session.Rlocation = func(string) (string, error) { return kernel, nil }
			},
		},
		{
			class: failure.QEMUNotStarted, name: "long command line", script: "hang",
			set: func(r *run) {
				r.config.KernelArgs = []string{strings.Repeat("x", 2047-len("console=ttyS0 panic=-1 no_timer_check=1"))}
			},
		},
		{
			class: failure.QEMUNotStarted, name: "long command line on arm64", script: "hang",
			set: func(r *run) {
				r.config.Arch, r.config.Kernel = "arm64", qemutest.KernelFor(t, "arm64", "hang")
				r.config.KernelCmdline = []string{strings.Repeat("x", 2040), "console=ttyAMA0"}
			},
		},
		{
			class: failure.QEMUNotStarted, name: "initramfs larger than memory", script: "hang",
			set: func(r *run) {
				r.config.Initramfs = []string{filepath.Join(t.TempDir(), "large.cpio")}
				// A file that is all hole.
				if err := cmp.Or(os.WriteFile(r.config.Initramfs[0], nil, 0o644), os.Truncate(r.config.Initramfs[0], 256<<20+1)); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			class: failure.KernelNotStarted, name: "silent", limit: true, script: "hang",
		},
		{
			class: failure.KernelNotStarted, name: "reset",
		},
		{
			class: failure.KernelNotStarted, name: "firmware alone", limit: true,
			set: func(r *run) {
				r.config.Arch = "riscv64"
				r.script = `print "OpenSBI v1.6\nBoot HART ID : 0\n"` + "\nhang"
				r.config.Kernel = qemutest.KernelFor(t, "riscv64", r.script)
			},
		},
		{
			class: failure.KernelNotStarted, name: "another firmware alone", limit: true, script: `print "BdsDxe: loading\n"` + "\nhang",
			set: func(r *run) { r.config.BIOS = r.config.Kernel },
		},
		{
			class: failure.QEMUNotStarted, name: "payload of another architecture", script: "hang",
			set: func(r *run) {
				r.uefi(t)
				payload := qemutest.KernelFor(t, "arm64", "")
				r.config.Payload = "_main/image.efi"
				r.session.Rlocation = func(string) (string, error) { return payload, nil }
			},
		},
		{
			class: failure.QEMUNotStarted, name: "payload for U-Boot", script: "hang",
			set: func(r *run) {
				r.uefi(t)
				payload := writeTemp(t, "\xd0\x0d\xfe\xed")
				r.config.Payload = "_main/image.itb"
				r.session.Rlocation = func(string) (string, error) { return payload, nil }
			},
		},
		{
			class: failure.QEMUNotStarted, name: "payload larger than memory", script: "hang",
			set: func(r *run) {
				r.uefi(t)
				if err := os.Truncate(r.config.Payload, 256<<20+1); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			class: failure.QEMUNotStarted, name: "no swtpm", script: "hang",
			set: func(r *run) { r.config.TPM, r.config.SWTPM = true, "/nonexistent/swtpm" },
		},
		{
			class: failure.QEMUNotStarted, name: "swtpm fails", script: "hang",
			set: func(r *run) { r.config.TPM, r.config.SWTPM = true, writeProgram(t, "echo no state >&2; exit 1") },
		},
		{
			class: failure.QEMUDied, name: "swtpm ends", script: banner + "input\ntpm\nhang",
			set: func(r *run) {
				// The runner has seen the banner before.
				r.config.Input = []console.Prompt{{Expect: regexp.MustCompile("Linux"), Send: "go\n"}}
				r.config.TPM, r.config.SWTPM = true, writeProgram(t, "read line <&3; echo out of memory >&2; exit 3")
			},
		},
		{
			class: failure.FirmwareRefused, name: "Secure Boot", script: refusal + "hang",
			set: func(r *run) { r.uefi(t) },
		},
		{
			class: failure.FirmwareRefused, name: "U-Boot", script: `print "Bad Data Hash\r\n"` + "\nhang",
			set: func(r *run) { r.uboot(t) },
		},
		{
			class: failure.NotRefused, name: "the kernel starts", script: starting + banner + "hang",
			set: func(r *run) {
				r.uefi(t)
				r.config.ExpectRefusal = true
			},
		},
		{
			class: failure.NotRefused, name: "a quiet kernel", script: starting + `print "hello\r\n"` + "\n",
			set: func(r *run) {
				r.uefi(t)
				r.config.ExpectRefusal = true
			},
		},
		{
			class: failure.MissingAtLimit, name: "another refusal", limit: true, script: refusal + "hang",
			set: func(r *run) {
				r.uefi(t)
				r.config.ExpectRefusal = true
				r.config.Expect = compile([]string{"Security Violation"})
			},
		},
		{
			class: failure.KernelNotStarted, name: "silent firmware", limit: true, script: "hang",
			set: func(r *run) { r.uefi(t) },
		},
		{
			class: failure.KernelNotStarted, name: "no refusal", limit: true, script: starting + "hang",
			set: func(r *run) {
				r.uefi(t)
				r.config.ExpectRefusal = true
			},
		},
		{
			class: failure.UnpackingFailed, name: "archive", script: says("Initramfs unpacking failed: no cpio magic") + "hang",
		},
		{
			class: failure.UnpackingFailed, name: "then no init", script: says("Initramfs unpacking failed: no cpio magic") + says("Kernel panic - not syncing: No working init found."),
		},
		{
			class: failure.InitFailed, name: "no program", script: says("Failed to execute /init (error -8)") + says("Kernel panic - not syncing: No working init found."),
		},
		{
			class: failure.InitFailed, name: "ended", script: says("Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100") + "exit 0",
		},
		{
			class: failure.Panic, name: "panic", script: says("Kernel panic - not syncing: Fatal exception"),
		},
		{
			class: failure.Oops, name: "then a panic", script: says("BUG: kernel NULL pointer dereference, address: 0") + says("Kernel panic - not syncing: Fatal exception") + "hang",
		},
		{
			class: failure.Bug, name: "bug", script: says("kernel BUG at mm/slub.c:1!") + "hang",
		},
		{
			class: failure.Lockup, name: "lockup", script: says("watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [init:1]") + "hang",
		},
		{
			class: failure.RCUStall, name: "stall", script: says("rcu: INFO: rcu_sched self-detected stall on CPU") + "hang",
		},
		{
			class: failure.Forbidden, name: "forbidden", script: says("Initramfs unpacking failed: x") + "hang",
			set: func(r *run) { r.config.Forbid = compile([]string{"unpacking"}) },
		},
		{
			class: failure.ExitCode, name: "exit code", script: says("tests: 3") + "hang",
			set: func(r *run) { r.config.ExitCodePattern = regexp.MustCompile(`tests: (\d+)`) },
		},
		{
			class: failure.MissingAtLimit, name: "all kinds", limit: true, script: says("a") + "hang",
			set: func(r *run) {
				r.config.Expect = compile([]string{" a", "B", "C"})
				r.config.ExpectUnordered = compile([]string{" a", "D", "E"})
				r.config.Input = []console.Prompt{{Expect: regexp.MustCompile("F")}, {Expect: regexp.MustCompile("G")}}
				r.config.ExitCodePattern = regexp.MustCompile(`h(\d)`)
			},
		},
		{
			class: failure.MissingAtEnd, name: "near miss", script: banner + `print "pass \u009b\n"`,
			set: func(r *run) { r.config.Expect = compile([]string{"^PASS$"}) },
		},
		{
			class: failure.MissingAtEnd, name: "prompt", script: banner,
			set: func(r *run) { r.config.Input = []console.Prompt{{Expect: regexp.MustCompile("login: $")}} },
		},
		{
			class: failure.NotEnded, name: "hangs", limit: true, script: banner + "hang",
		},
		{
			class: failure.QEMUDied, name: "killed", script: banner + `stderr "out of memory\n"` + "\ndie",
		},
		{
			class: failure.QEMUDied, name: "killed at once", script: "die",
		},
		{
			class: failure.QEMUDied, name: "ended with an error", script: banner + "exit 3",
			set: func(r *run) { r.config.Expect = compile([]string{"never"}) },
		},
		{
			class: failure.Stopped, name: "stopped", script: "hang",
			set: func(r *run) {
				signals := make(chan os.Signal, 1)
				signals <- os.Interrupt
				r.session.Signals = signals
			},
		},
	}
	texts := newTexts(t, len(tests))
	for _, test := range tests {
		t.Run(string(test.class)+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, test.script)
			if test.set != nil {
				test.set(r)
			}
			r.session.OutputsDir = t.TempDir()
			if test.limit {
				r.limitAtEnd(t)
			}
			r.session.XMLFile = filepath.Join(t.TempDir(), "test.xml")

			code := r.boot()
			texts.add(string(test.class)+"/"+test.name, r.check(t, code, test.class))
			sentence, _, _ := strings.Cut(r.stderr.String(), "\n")
			sentence = strings.TrimPrefix(sentence, "boot: //x:y: ")

			data, err := os.ReadFile(filepath.Join(r.session.OutputsDir, "result.json"))
			var got result
			if err := errors.Join(err, json.Unmarshal(data, &got)); err != nil {
				t.Fatal(err)
			}
			if got.Passed || got.Class != test.class || got.Sentence != sentence {
				t.Errorf("result %v %q %q, want %q %q", got.Passed, got.Class, got.Sentence, test.class, sentence)
			}
			failures := readXML(t, r.session.XMLFile).failures()
			if len(failures) == 0 || failures[0].Type != string(test.class) || failures[0].Message != sentence {
				t.Errorf("failures in test.xml: %+v", failures)
			}
		})
	}
}

// A testXML is the part of test.xml that Bazel reads.
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

// TestCases checks the test cases in test.xml: patterns that were seen, the one that failed,
// and those that were not reached.
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
		if diff := gocmp.Diff(test.want, got); diff != "" {
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
	golden.Section(t, "messages.txt", map[string]string{"report": got})
	at := regexp.MustCompile(`(?m)^ +(\d+\.\d) s  init`).FindStringSubmatch(r.stderr.String())
	if at == nil || at[1] < "0.3" {
		t.Errorf("the sleep is not in the times:\n%s", &r.stderr)
	}
}

func TestDialogue(t *testing.T) {
	t.Parallel()
	r := newRun(t, banner+`print "login: "`+"\ninput\n"+`print "# "`+"\ninput\nhang")
	r.config.Input = []console.Prompt{
		{Expect: regexp.MustCompile("login: $"), Send: "root\n"},
		{Expect: regexp.MustCompile("# $"), Send: "halt\n"},
	}
	r.config.Expect = compile([]string{`input "root\\n"`, `input "halt\\n"`})
	r.check(t, r.boot(), passed)
}

// TestDialogueNotRead types more than a pipe can hold for a guest that does not read.
func TestDialogueNotRead(t *testing.T) {
	t.Parallel()
	r := newRun(t, `print "ready\n"`+"\nsleep 300ms\n"+`print "on\n"`+"\nexit 0")
	r.config.Input = []console.Prompt{
		{Expect: regexp.MustCompile("ready"), Send: strings.Repeat("x", 1<<20)},
		{Expect: regexp.MustCompile("on"), Send: "y"},
	}
	r.check(t, r.boot(), passed)
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
	r.check(t, r.boot(), passed)

	r.config.Files = []string{filepath.Join(in, "a"), filepath.Join(in, "d", "..", "a")}
	r.stderr.Reset()
	r.check(t, r.boot(), failure.QEMUNotStarted)
}

func TestKVM(t *testing.T) {
	t.Parallel()
	yes, no := error(nil), errors.New("no such device")
	tests := []struct {
		kvm         config.KVM
		probe       error
		args        string // in QEMU's arguments
		accelerator string
	}{
		{config.KVMAuto, yes, `"-cpu" "host" "-accel" "kvm"`, "kvm"},
		{config.KVMAuto, no, `"-cpu" "max" "-accel" "tcg"`, "tcg"},
		{config.KVMOff, yes, `"-cpu" "max" "-accel" "tcg"`, "tcg"},
		{config.KVMOn, yes, `"-cpu" "host" "-accel" "kvm"`, "kvm"},
	}
	texts := newTexts(t, len(tests))
	for _, test := range tests {
		r := newRun(t, "args")
		r.config.KVM = test.kvm
		r.config.Expect = compile([]string{regexp.QuoteMeta(test.args)})
		r.session.OutputsDir = t.TempDir()
		probed := ""
		r.session.ProbeKVM = func(goarch string) error { probed = goarch; return test.probe }
		r.check(t, r.boot(), passed)
		name := fmt.Sprintf("%s, probe: %v", test.kvm, test.probe)
		texts.add(name, regexp.MustCompile(`QEMU: .*`).FindString(r.stderr.String()))
		if test.kvm != config.KVMOff && probed != "amd64" {
			t.Errorf("%s: probed for %q", name, probed)
		}
		data, err := os.ReadFile(filepath.Join(r.session.OutputsDir, "result.json"))
		var got result
		if err := errors.Join(err, json.Unmarshal(data, &got)); err != nil || got.Accelerator != test.accelerator {
			t.Errorf("%s: accelerator %q, error %v, want %q", name, got.Accelerator, err, test.accelerator)
		}
	}
}
