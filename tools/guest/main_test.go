//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemutest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/guest"
)

func TestMain(m *testing.M) { qemutest.Main(m) }

// install writes the two configurations that the rule writes, and returns the name of the
// executable that they belong to.
func install(t *testing.T, script string) (self string) {
	t.Helper()
	self = filepath.Join(t.TempDir(), "test")
	for name, config := range map[string]any{
		"boot": map[string]any{
			"label": "//x:y", "arch": "x86_64", "qemu": qemutest.Executable(t), "kernel": qemutest.Kernel(t, script),
			"memory_mib": 64, "cpus": 1, "kvm": "off", "time_limit_s": 30,
		},
		"guest": settings{Workspace: "_main", Executable: "x/test", Env: map[string]string{"A": "b"}},
	} {
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(self+"."+name+".json", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return self
}

// capture replaces a file, such as standard output, and returns a function that restores it
// and returns what was written.
func capture(t *testing.T, file **os.File) (content func() string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "captured"))
	if err != nil {
		t.Fatal(err)
	}
	before := *file
	*file = f
	return func() string {
		*file = before
		f.Close()
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// A frame is a message of the agent.
type frame struct {
	kind    guest.FrameKind
	payload string
}

// printScript returns a script for a guest that prints text and frames.
func printScript(t *testing.T, output ...any) string {
	t.Helper()
	var console bytes.Buffer
	w := guest.NewFrameWriter(&console)
	for _, o := range output {
		switch o := o.(type) {
		case string:
			console.WriteString(o)
		case frame:
			if err := w.Write(o.kind, []byte(o.payload)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return fmt.Sprintf("print %q\n", console.String())
}

func TestRun(t *testing.T) {
	var archive bytes.Buffer
	outputs := t.TempDir()
	if err := os.WriteFile(filepath.Join(outputs, guest.XML), []byte("<testsuites/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(outputs, guest.Undeclared), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := guest.Pack(&archive, outputs); err != nil {
		t.Fatal(err)
	}
	const panicLine = "Kernel panic - not syncing: x\n"
	begin, data, sent, end := frame{guest.FrameBegin, ""}, frame{guest.FrameData, archive.String()}, frame{guest.FrameSent, "{}"}, frame{guest.FrameEnd, ""}
	exit := func(ending string) frame { return frame{guest.FrameExit, ending} }
	long := strings.Repeat("x", 64<<10-1)

	messages := map[string]string{}
	for _, test := range []struct {
		name    string
		console []any
		code    int
		stdout  string
		more    bool   // more output may follow: how an unfinished escape sequence is shown
		report  string // the class in the report of the boot; empty for none
	}{
		{name: "passes", console: []any{"Linux version 7\n", begin, "PASS\nno newline", exit(`{"code":0}`), data, sent, end}, stdout: "PASS\nno newline"},
		{name: "in an escape sequence", console: []any{begin, "PASS\n\x1b]0;title", exit(`{"code":0}`), data, sent, end}, stdout: "PASS\n", more: true},
		{name: "long last line", console: []any{begin, long, exit(`{"code":0}`), data, sent, end}, stdout: long},
		{name: "long last line in an escape sequence", console: []any{begin, long, "\x1b[1;", exit(`{"code":0}`), data, sent, end}, stdout: long, more: true},
		{name: "long line", console: []any{begin, long, "xx\n", exit(`{"code":0}`), data, sent, end}, stdout: long + "xx\n"},
		{name: "fails", console: []any{begin, exit(`{"code":3}`), data, sent, end}, code: 3},
		{name: "fails with a high code", console: []any{begin, exit(`{"code":255}`), data, sent, end}, code: 255},
		{name: "killed", console: []any{begin, exit(`{"code":137,"signal":"SIGKILL (killed)"}`), data, sent, end}, code: 137},
		{name: "not started", console: []any{begin, exit(`{"code":127,"error":"cannot start the test: x"}`), data, sent, end}, code: 127},
		{name: "outputs missing", console: []any{begin, exit(`{"code":0}`), frame{guest.FrameSent, `{"error":"cannot pack the test's outputs: x"}`}, end}, code: 1},
		{name: "panic before", console: []any{panicLine}, code: 1, report: "panic"},
		{name: "panic during the test", console: []any{begin, "one\n", panicLine}, code: 1, stdout: "one\n", report: "panic"},
		{name: "the guest ends before the test starts", console: []any{"Linux version 7\ninit: no\n"}, code: 1, report: "missing-at-end"},
		{name: "the guest ends", console: []any{begin, "one\n"}, code: 1, stdout: "one\n", report: "missing-at-end"},
		{name: "the guest ends early", console: []any{begin, "one\n", exit(`{"code":0}`), data}, code: 1, stdout: "one\n", report: "missing-at-end"},
		{name: "damaged", console: []any{begin, "\x02guest 1 exit\n"}, code: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			xml := filepath.Join(t.TempDir(), "test.xml")
			t.Setenv("XML_OUTPUT_FILE", xml)
			t.Setenv("TEST_TMPDIR", t.TempDir())
			t.Setenv("TEST_TIMEOUT", "")
			t.Setenv("TEST_UNDECLARED_OUTPUTS_DIR", t.TempDir())
			self := install(t, printScript(t, test.console...))
			stdout, stderr := capture(t, &os.Stdout), capture(t, &os.Stderr)
			code, err := run(self, []string{"argument"})
			report := stderr()
			if got := stdout(); got != test.stdout && !(test.more && strings.HasPrefix(got, test.stdout)) {
				t.Errorf("standard output %q, want %q", got, test.stdout)
			}
			if code != test.code || (err == nil) != (code == 0) {
				t.Errorf("exit code %d, error %v, want code %d", code, err, test.code)
			}
			if test.report == "" && report != "" || test.report != "" &&
				(!strings.HasPrefix(report, "boot: //x:y: "+test.report+" ") || !strings.Contains(report, "--- timeline") || !strings.Contains(report, "--- end of the console")) {
				t.Errorf("standard error %q, want a report of %s", report, test.report)
			}
			if err != nil {
				messages[test.name] = regexp.MustCompile(`[0-9.]+ s$`).ReplaceAllString(err.Error(), "T")
			}
			if _, err := os.Stat(xml); (err == nil) != (slices.Contains(test.console, any(data)) && slices.Contains(test.console, any(end))) {
				t.Errorf("test.xml: %v", err)
			}
			if left, err := os.ReadDir(os.Getenv("TEST_TMPDIR")); err != nil || len(left) > 0 {
				t.Errorf("temporary files left: %v, %v", left, err)
			}
		})
	}
	golden.Messages(t, "TestRun.txt", messages)
}

// TestArchive checks that the initramfs ends with the archive for the agent.
func TestArchive(t *testing.T) {
	t.Setenv("TEST_TMPDIR", t.TempDir())
	t.Setenv("TEST_TIMEOUT", "")
	t.Setenv("TEST_UNDECLARED_OUTPUTS_DIR", t.TempDir())
	self := install(t, "initrd\n")
	stdout := capture(t, &os.Stdout)
	code, err := run(self, []string{"one", "two words"})
	stdout()
	if code != exitUnknown || err == nil {
		t.Errorf("exit code %d, error %v, want an error: there is no agent", code, err)
	}
	console, err := os.ReadFile(filepath.Join(os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"), "console.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"070701", `guest/run.json\x00`, `\"args\":[\"one\",\"two words\"]`, `\"A=b\"`, `\"dir\":\"/guest/test.runfiles/_main\"`,
		`\"runfile\":\"/guest/test.runfiles/x/test\"`, "TRAILER!!!",
	} {
		if !strings.Contains(string(console), part) {
			t.Errorf("no %s in the archive:\n%s", part, console)
		}
	}
}

func TestConfigurationMissing(t *testing.T) {
	self := install(t, "")
	for _, name := range []string{".guest.json", ".boot.json"} {
		if err := os.Remove(self + name); err != nil {
			t.Fatal(err)
		}
		if code, err := run(self, nil); code != 2 || err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: exit code %d, error %v", name, code, err)
		}
	}
}
