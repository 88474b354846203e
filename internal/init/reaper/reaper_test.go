package reaper

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sh is a Program; a test without a shell has nothing to run.
func sh(t *testing.T, script string) Program {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell: ", err)
	}
	return Program{Argv: []string{shell, "-c", script}, Env: []string{"A=3"}}
}

// The tests share a process, and so its signals and children.
var shared = New()

func TestRun(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"exit 0", "exited with 0"},
		{"exit $A", "exited with 3"},
		{"kill -SEGV $$", "killed by SIGSEGV"},
		{"kill -KILL $$", "killed by SIGKILL"},
		// Children of others that end first are none of its concern.
		{"(exit 1) & wait; exit 7", "exited with 7"},
	} {
		ending, err := shared.Run(sh(t, test.script))
		if err != nil {
			t.Fatal(err)
		}
		if ending.String() != test.want {
			t.Errorf("%s: %s, want %s", test.script, ending, test.want)
		}
	}
}

func TestRunForwardsSignals(t *testing.T) {
	go func() {
		time.Sleep(200 * time.Millisecond)
		syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	}()
	ending, err := shared.Run(sh(t, "trap 'exit 9' USR1; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done"))
	if err != nil {
		t.Fatal(err)
	}
	if ending.String() != "exited with 9" {
		t.Errorf("%s, want exited with 9", ending)
	}
}

func TestRunCannot(t *testing.T) {
	folder := t.TempDir()
	for _, test := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"interpreter", "#!/none\n", 0o755, "interpreter: its interpreter or loader is not in the image"},
		{"mode", "#!/bin/sh\n", 0o644, "mode: permission denied: is it a file with a mode such as 0755?"},
		{"text", "text", 0o755, "text: exec format error: is it for this architecture?"},
		{"none", "", 0, "none: it is not in the image"},
	} {
		name := folder + "/" + test.name
		if test.mode != 0 {
			if err := os.WriteFile(name, []byte(test.text), test.mode); err != nil {
				t.Fatal(err)
			}
		}
		_, err := shared.Run(Program{Argv: []string{name}})
		if err == nil || !strings.Contains(err.Error(), "cannot run "+folder+"/"+test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
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
