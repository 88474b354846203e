package reaper

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// sh returns a Program that runs a shell script.
func sh(t *testing.T, script string) Program {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell: ", err)
	}
	return Program{Argv: []string{shell, "-c", script}, Env: []string{"A=3"}}
}

// The tests share one process, with its signals and children.
var shared = New()

func TestRun(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"exit 0", "exited with 0"},
		{"exit $A", "exited with 3"},
		{"kill -SEGV $$", "killed by SIGSEGV"},
		{"kill -KILL $$", "killed by SIGKILL"},
		// Other processes that end first do not matter.
		{"(exit 1) & wait; exit 7", "exited with 7"},
	} {
		exit, err := shared.Run(sh(t, test.script))
		if err != nil {
			t.Fatal(err)
		}
		if exit.String() != test.want {
			t.Errorf("%s: %s, want %s", test.script, exit, test.want)
		}
	}
}

func TestRunForwardsSignals(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	go func() {
		for {
			if _, err := os.Stat(ready); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	}()
	exit, err := shared.Run(sh(t, "trap 'exit 9' USR1; >"+ready+"; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done"))
	if err != nil {
		t.Fatal(err)
	}
	if exit.String() != "exited with 9" {
		t.Errorf("%s, want exited with 9", exit)
	}
}

func TestRunFails(t *testing.T) {
	dir := t.TempDir()
	messages := map[string]string{}
	for _, test := range []struct {
		name, text string
		mode       os.FileMode
		want       error
	}{
		{"interpreter", "#!/none\n", 0o755, syscall.ENOENT},
		{"mode", "#!/bin/sh\n", 0o644, syscall.EACCES},
		{"text", "text", 0o755, syscall.ENOEXEC},
		{"none", "", 0, syscall.ENOENT},
	} {
		name := dir + "/" + test.name
		if test.mode != 0 {
			if err := os.WriteFile(name, []byte(test.text), test.mode); err != nil {
				t.Fatal(err)
			}
		}
		_, err := shared.Run(Program{Argv: []string{name}})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.want)
			continue
		}
		messages[test.name] = strings.ReplaceAll(err.Error(), dir, "")
	}
	golden.Messages(t, "TestRunFails.txt", messages)
}

func TestSignalNames(t *testing.T) {
	for signal, want := range map[syscall.Signal]string{
		syscall.SIGHUP: "SIGHUP", syscall.SIGKILL: "SIGKILL", syscall.SIGTERM: "SIGTERM",
		syscall.SIGCHLD: "SIGCHLD", syscall.SIGXFSZ: "SIGXFSZ", syscall.SIGSYS: "SIGSYS", 34: "signal 34",
	} {
		if got := signalName(signal); got != want {
			t.Errorf("signal %d is %s, want %s", int(signal), got, want)
		}
	}
}
