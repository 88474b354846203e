// Package guest_test runs programs in a guest that end in different ways, and checks what
// guest_test reports.
package guest_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// guest runs a target, whose runfile is in an environment variable such as GUEST. The names
// xml and files are those of test.xml and the directory of undeclared outputs.
func guest(t *testing.T, variable string, args []string, env ...string) (code int, stdout, stderr, xml, files string) {
	t.Helper()
	name := os.Getenv(variable)
	if name == "" {
		t.Skip("needs a guest that Bazel builds: run it with bazel test")
	}
	name, err := runfiles.Rlocation(name)
	if err != nil {
		t.Fatal(err)
	}
	xml, files = filepath.Join(t.TempDir(), "test.xml"), t.TempDir()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "TEST_TIMEOUT=", "XML_OUTPUT_FILE="+xml, "TEST_UNDECLARED_OUTPUTS_DIR="+files, "ASKED_FOR=this")
	cmd.Env = append(cmd.Env, env...)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), messages.String(), xml, files
}

func TestVerdict(t *testing.T) {
	const label = "//rules/tests/guest_test:guest: "
	for _, test := range []struct {
		args    []string
		timeout string
		code    int
		want    string // matches standard error
	}{
		{[]string{"exit", "0"}, "", 0, `\A\z`},
		{[]string{"system"}, "", 0, `\A\z`},
		{[]string{"exit", "3"}, "", 3, `(?m)\Aguest_test: ` + label + `the test exited with 3 `},
		{[]string{"exit", "255"}, "", 255, `(?m)\Aguest_test: ` + label + `the test exited with 255 `},
		{[]string{"kill", "9"}, "", 137, `(?m)\Aguest_test: ` + label + `the test was killed by SIGKILL \(killed\)`},
		// A Go program ignores real-time signals from 35 on.
		{[]string{"kill", "34"}, "", 162, `(?m)\Aguest_test: ` + label + `the test was killed by signal 34 `},
		{[]string{"panic"}, "", 1, `(?ms)\Aboot: ` + label + `panic after .*^guest_test: ` + label + `the guest failed while `},
		{[]string{"power off"}, "", 1, `(?ms)\Aboot: ` + label + `[a-z-]+ after .*^--- timeline.*^--- end of the console.*^guest_test: ` + label + `the guest failed while `},
		{[]string{"hang"}, "30", 1, `(?ms)\Aboot: ` + label + `[a-z-]+ after 27.0 s: time limit.*^guest_test: ` + label + `the guest failed while `},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			code, _, stderr, _, _ := guest(t, "GUEST", test.args, "TEST_TIMEOUT="+test.timeout)
			if code != test.code || !regexp.MustCompile(test.want).MatchString(stderr) {
				t.Errorf("exit code %d, want %d; it said:\n%s\nwant a match of %s", code, test.code, stderr, test.want)
			}
		})
	}
}

func TestOutputs(t *testing.T) {
	code, stdout, stderr, xml, files := guest(t, "GUEST", []string{"outputs"})
	omitted := regexp.MustCompile(`\A(guest_test: not among the outputs: undeclared/(fifo|passwd): .*\n){2}\z`)
	if code != 0 || !omitted.MatchString(stderr) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if !strings.HasPrefix(stdout, "this\n") || !strings.Contains(stdout, "from the kernel") || !strings.HasSuffix(stdout, "no end") {
		t.Errorf("it printed %q", stdout)
	}
	if content, err := os.ReadFile(xml); err != nil || string(content) != "<testsuites/>\n" {
		t.Errorf("test.xml: %q, %v", content, err)
	}
	if info, err := os.Stat(filepath.Join(files, "dir/file")); err != nil || info.Size() != 300_000 {
		t.Errorf("undeclared output: %v", err)
	}
	for name, want := range map[string]string{
		"console.log": "the test's", "result.json": "the test's", "not UTF-8 \xff": "the test's", "version": "",
	} {
		if content, err := os.ReadFile(filepath.Join(files, name)); err != nil || string(content) != want {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(files, "latest")); err != nil || target != "dir" {
		t.Errorf("link: %q, %v", target, err)
	}
	for _, name := range []string{"boot-console.log", "boot-result.json", "qemu-command.txt", "empty"} {
		if _, err := os.Stat(filepath.Join(files, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestPrint ends the test's output where frames could be lost.
func TestPrint(t *testing.T) {
	for _, test := range []struct{ text, count, want string }{
		{`"PASS\n\x1b]0;title"`, "1", "PASS\n"}, // how the unfinished sequence is shown is up to the console
		{`"x"`, "65535", strings.Repeat("x", 65535)},
		{`"x\n"`, "2", "x\nx\n"},
	} {
		code, stdout, stderr, _, files := guest(t, "GUEST", []string{"print", test.text, test.count})
		if code != 0 || stderr != "" || stdout != test.want && !(strings.Contains(test.text, "title") && strings.HasPrefix(stdout, test.want)) {
			t.Errorf("%s: exit code %d, %d bytes, want %d: %s", test.text, code, len(stdout), len(test.want), stderr)
		}
		if _, err := os.Stat(filepath.Join(files, "console.log")); err != nil {
			t.Error(err)
		}
	}
}

// TestFilter passes --test_filter on, as Bazel does for tests.
func TestFilter(t *testing.T) {
	for filter, want := range map[string]string{"": "First Second Third", "Second|Third": "Second Third", "Fourth": ""} {
		code, stdout, stderr, _, _ := guest(t, "PARTS", []string{"-test.v"}, "TESTBRIDGE_TEST_ONLY="+filter)
		var ran []string
		for _, match := range regexp.MustCompile(`(?m)^--- PASS: Test(\w+) `).FindAllStringSubmatch(stdout, -1) {
			ran = append(ran, match[1])
		}
		if code != 0 || strings.Join(ran, " ") != want {
			t.Errorf("filter %q: exit code %d, ran %q, want %q; it said:\n%s%s", filter, code, ran, want, stdout, stderr)
		}
	}
}
