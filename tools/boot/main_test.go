//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemutest"
	"github.com/rules-initramfs/rules_initramfs/internal/cli/clitest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// asBoot has the test binary run main.
const asBoot = "BOOT_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asBoot) != "" {
		os.Unsetenv(asBoot) // the QEMU it starts is the stand-in
		main()
	}
	qemutest.Main(m)
}

// install makes an executable the way the rules do, a link with its
// configuration beside it, and returns its path. The guest runs script; set
// changes the configuration.
func install(t *testing.T, script string, set map[string]any) string {
	t.Helper()
	fields := map[string]any{
		"label":      "//x:y",
		"arch":       "x86_64",
		"qemu":       qemutest.Executable(t),
		"kernel":     qemutest.Kernel(t, script),
		"memory_mib": 512,
		"cpus":       1,
		// For a test that fails.
		"time_limit_s": 30,
	}
	for k, v := range set {
		fields[k] = v
	}
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "y")
	if err := os.Symlink(qemutest.Executable(t), name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+".boot.json", data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// command returns the command of an executable with a test's environment.
func command(name string, args ...string) (c *exec.Cmd, stdout, stderr *bytes.Buffer) {
	c = exec.Command(name, args...)
	c.Env = append(os.Environ(), asBoot+"=1", "TEST_TIMEOUT=", "TEST_UNDECLARED_OUTPUTS_DIR=", "XML_OUTPUT_FILE=")
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	c.Stdout, c.Stderr = stdout, stderr
	return c, stdout, stderr
}

func TestHelp(t *testing.T) {
	newBoot := func() *cobra.Command { return newProgram("boot") }
	golden.Messages(t, "TestHelp.txt", clitest.Help(t, newBoot))
	golden.Messages(t, "TestUsage.txt", clitest.Usage(t, newBoot, "x", "--kvn=off", "--gdb=x", "--gdb 1234", "--memory=much", "--append quiet"))
	clitest.Options(t, newBoot, map[string]string{"config": "y.boot.json", "cpus": "2", "kernel-args": "quiet", "kvm": "off", "memory": "512"})
}

func TestExitCodes(t *testing.T) {
	good := install(t, `print "hello\n"`, map[string]any{"expect": []string{"hello"}})
	bad := install(t, `print "hello\n"`, map[string]any{"expect": []string{"goodbye"}})
	broken := install(t, "", map[string]any{"memory": 1})
	said := install(t, "args", map[string]any{"expect": []string{
		`"-m" "99" "-smp" "3" .* "console=ttyS0 panic=-1 no_timer_check=1 one two three"`,
	}})
	terminal := install(t, "args", map[string]any{"interactive": true, "vmlinux": "/x/vmlinux"})
	for _, test := range []struct {
		name       string
		executable string
		args       []string
		env        string
		want       int
		wantStderr string
		wantStdout string
	}{
		{name: "success", executable: good, wantStderr: "boot: //x:y: passed after "},
		{name: "failure", executable: bad, want: 1, wantStderr: `boot: //x:y: missing-at-end after `},
		{name: "another configuration", executable: bad, args: []string{"--config", good + ".boot.json"}, wantStderr: "boot: //x:y: passed after "},
		{name: "help", executable: broken, args: []string{"--help"}, wantStdout: "--config FILE"},
		{name: "options", executable: said, args: []string{"--kernel-args=one two", "--kernel-args", "three", "--cpus=3", "--memory=99", "--kvm=off"}, wantStderr: "passed after "},
		{name: "kvm", executable: good, args: []string{"--kvm=maybe"}, want: 2, wantStderr: `boot: //x:y: kvm: "maybe"`},
		{name: "memory", executable: good, args: []string{"--memory=-1"}, want: 2, wantStderr: "boot: //x:y: memory_mib: -1"},
		{name: "gdb in a test", executable: good, args: []string{"--gdb"}, want: 2, wantStderr: "boot: //x:y: --gdb: "},
		{name: "gdb, no port", executable: terminal, args: []string{"--gdb=x"}, want: 2, wantStderr: "boot: option --gdb: \"x\": "},
		{name: "gdb", executable: terminal, args: []string{"--gdb"}, wantStdout: `"-gdb" "tcp:localhost:1234" "-S"`, wantStderr: "gdb /x/vmlinux -ex 'target remote localhost:1234'\n"},
		{name: "gdb, another port", executable: terminal, args: []string{"--gdb=4321"}, wantStdout: `"-gdb" "tcp:localhost:4321" "-S"`, wantStderr: "localhost:4321"},
		{name: "gdb, addresses", executable: terminal, args: []string{"--gdb"}, wantStdout: ` nokaslr"`, wantStderr: "passed"},
		{name: "print the command", executable: good, args: []string{"--print-command", "--kernel-args=it's"}, wantStdout: `-append 'console=ttyS0 panic=-1 no_timer_check=1 it'\''s'` + "\n"},
		{name: "unknown option", executable: good, args: []string{"--kvn=off"}, want: 2, wantStderr: "boot: unknown option --kvn: did you mean --kvm?"},
		{name: "argument", executable: good, args: []string{"x"}, want: 2, wantStderr: `"x"`},
		{name: "broken configuration", executable: broken, want: 2, wantStderr: `.boot.json: json: unknown field "memory"`},
		{name: "no configuration", executable: qemutest.Executable(t), want: 2, wantStderr: ".boot.json: no such file"},
		{name: "bad TEST_TIMEOUT", executable: install(t, "", map[string]any{"time_limit_s": 0}), env: "TEST_TIMEOUT=soon", want: 2, wantStderr: `TEST_TIMEOUT: "soon"`},
		{name: "TEST_TIMEOUT", executable: install(t, "hang", map[string]any{"time_limit_s": 0}), env: "TEST_TIMEOUT=1", want: 1, wantStderr: "kernel-not-started after 0.9 s: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, stdout, stderr := command(test.executable, test.args...)
			c.Env = append(c.Env, test.env)
			c.Run()
			if got := c.ProcessState.ExitCode(); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
			for _, stream := range []struct{ name, got, want string }{
				{"output", stdout.String(), test.wantStdout},
				{"error", stderr.String(), test.wantStderr},
			} {
				if !strings.Contains(stream.got, stream.want) || stream.want == "" && stream.got != "" {
					t.Errorf("standard %s %q, want %q in it", stream.name, stream.got, stream.want)
				}
			}
		})
	}
}

// TestRunfiles finds the kernel and the initramfs where Bazel puts them.
func TestRunfiles(t *testing.T) {
	t.Parallel()
	name := install(t, "", map[string]any{
		"kernel":    "_main/kernel",
		"initramfs": []string{"other+/a.cpio"},
		"expect":    []string{`^"aaa"$`},
	})
	kernel, err := os.ReadFile(qemutest.Kernel(t, "initrd\n"))
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string]string{"_main/kernel": string(kernel), "other+/a.cpio": "aaa"} {
		file = filepath.Join(name+".runfiles", file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, _, stderr := command(name)
	c.Env = append(c.Env, "RUNFILES_DIR=", "RUNFILES_MANIFEST_FILE=")
	if err := c.Run(); err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// start starts a boot whose guest prints the number of its process, and that of its TPM's, and
// returns these numbers.
func start(t *testing.T) (c *exec.Cmd, stderr *bytes.Buffer, pids []int) {
	t.Helper()
	outputs := t.TempDir()
	name := install(t, "deaf\ntpm\npid\nhang", map[string]any{"tpm": true, "swtpm": qemutest.Executable(t)})
	c, _, stderr = command(name)
	c.Env = append(c.Env, "TEST_UNDECLARED_OUTPUTS_DIR="+outputs)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	log := filepath.Join(outputs, "console.log")
	found := qemutest.Await(func() bool {
		console, _ := os.ReadFile(log)
		pids = nil
		for _, match := range regexp.MustCompile(`pid (\d+)(?:\\n")?\n`).FindAllSubmatch(console, -1) {
			pid, _ := strconv.Atoi(string(match[1]))
			pids = append(pids, pid)
		}
		return len(pids) == 2
	})
	if !found {
		t.Fatal("the guest prints no process numbers")
	}
	return c, stderr, pids
}

func TestSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			c, stderr, pids := start(t)
			c.Process.Signal(signal)
			c.Wait()
			if got := c.ProcessState.ExitCode(); got != 1 {
				t.Errorf("exit code %d", got)
			}
			if want := "(" + signal.String() + ")"; !strings.Contains(stderr.String(), want) {
				t.Errorf("standard error %q, want %q in it", stderr, want)
			}
			for _, pid := range pids {
				if qemutest.Running(pid) {
					t.Errorf("QEMU or swtpm, process %d, is running", pid)
				}
			}
		})
	}
}

// TestKilled kills a boot that cannot clean up, with a QEMU deaf to SIGTERM.
func TestKilled(t *testing.T) {
	t.Parallel()
	c, _, pids := start(t)
	c.Process.Kill()
	c.Wait()
	for _, pid := range pids {
		if !qemutest.Await(func() bool { return !qemutest.Running(pid) }) {
			t.Errorf("QEMU or swtpm, process %d, is running", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// TestTerminalGone closes the other end of standard output.
func TestTerminalGone(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	name := install(t, `chatter "one\n"`, map[string]any{
		"interactive": true,
		"initramfs":   []string{qemutest.Kernel(t, ""), qemutest.Kernel(t, "")},
	})
	c, _, stderr := command(name)
	c.Env = append(c.Env, "TEST_TMPDIR="+tmp)
	c.Stdout = nil
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	io.ReadFull(stdout, make([]byte, 4))
	stdout.Close()
	c.Wait()
	if got := c.ProcessState.ExitCode(); got != 1 || !strings.Contains(stderr.String(), "by a signal (broken pipe)") {
		t.Errorf("exit code %d, standard error %q", got, stderr)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}
