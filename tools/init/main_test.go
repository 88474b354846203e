package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test program act as switch_root or init if it has that name.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "switch_root" || name == "init" {
		os.Exit(run(os.Args))
	}
	os.Exit(m.Run())
}

// start runs this program under a name, and returns its output and exit status.
func start(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	marker := filepath.Join(dir, "marker")
	if err := os.WriteFile(marker, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name           string
		args           []string
		stdout, stderr string
		code           int
	}{
		{"init", nil, "", "Usage: init", 2},
		{"init", []string{"--help"}, "Usage: init", "", 0},
		{"init", []string{"switch_root", "--help"}, "Usage: switch_root", "", 0},
		{"switch_root", []string{"-h"}, "Usage: switch_root", "", 0},
		{"switch_root", nil, "", "Usage: switch_root", 2},
		{"init", []string{"switch_root", "-x"}, "", "unknown option -x", 2},
		// This is not process 1, and its / may be any file system.
		{"switch_root", []string{dir, "/marker"}, "", "only process 1", 1},
		{"init", []string{"switch_root", "-c", "/dev/null", dir, "/marker", "-n"}, "", "only process 1", 1},
		{"switch_root", []string{"-n", dir, "/marker"}, "", "switch_root: ", 1},
	} {
		stdout, stderr, code := start(t, test.name, test.args...)
		if !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) || code != test.code ||
			(stdout == "") != (test.stdout == "") || (stderr == "") != (test.stderr == "") {
			t.Errorf("%s %q: code %d, stdout %q, stderr %q", test.name, test.args, code, stdout, stderr)
		}
	}
	if text, err := os.ReadFile(marker); err != nil || string(text) != "text" {
		t.Errorf("marker %q, error %v", text, err)
	}
}
