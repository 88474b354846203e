//go:build linux

// Package qemutest replaces QEMU in tests: the test binary runs itself as an emulator, whose
// kernel is a script that says what the console shows.
package qemutest

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const variable = "BOOT_QEMUTEST"

// Main is the TestMain of a package that runs the emulator. It runs m's tests, and in their
// child processes the emulator.
func Main(m *testing.M) {
	if os.Getenv(variable) != "" {
		if slices.Contains(os.Args, "--tpm2") {
			os.Exit(emulateTPM(os.Args))
		}
		os.Exit(emulate(os.Args[1:]))
	}
	os.Setenv(variable, "1")
	os.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise it ends a second late under -race
	os.Exit(m.Run())
}

// Executable returns the path to use as QEMU, and as swtpm.
func Executable(t testing.TB) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Kernel returns the path to use as the kernel, or as the payload and its disk. The guest does what the lines of the script
// say, and then QEMU exits with status 0:
//
//	print "TEXT"   write the Go string to the console
//	stderr "TEXT"  write it to standard error
//	initrd         write the contents of the initramfs to the console
//	args           write the arguments to the console
//	pid            write the process ID to the console
//	sleep TIME     do nothing for a time.Duration
//	chatter "TEXT" write it again and again until killed
//	flood BYTES    write as many bytes, without a newline
//	input          copy a line of standard input to the console
//	deaf           ignore SIGTERM from now on
//	raw            put the terminal on standard input in raw mode
//	leave          start a process that keeps the console open for a long time
//	hang           do nothing until killed
//	files          write the names and contents of the shared files
//	temp           write the name of the directory for temporary files
//	tpm            send something to the TPM, and write what it answers
//	die            kill itself with SIGKILL
//	exit STATUS    exit
func Kernel(t testing.TB, script string) string { return KernelFor(t, "x86_64", script) }

// KernelFor is Kernel for an architecture.
func KernelFor(t testing.TB, arch, script string) string {
	t.Helper()
	head := make([]byte, headerSize)
	for at, text := range map[string]map[int]string{
		"x86_64":  {0x1fe: "\x55\xaaXXHdrS\x0f\x02", 0x238: "\xff\x07"},
		"arm64":   {0x38: "ARM\x64"},
		"riscv64": {0x30: "RISCV", 0x38: "RSC\x05"},
	}[arch] {
		copy(head[at:], text)
	}
	name := t.TempDir() + "/kernel"
	if err := os.WriteFile(name, append(head, script...), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// headerSize is the size of what is before the script in a kernel: what the runner reads of it.
const headerSize = 4 << 10

// patience is how long a test waits for what must come. It comes at once, unless the machine is
// busy.
const patience = 5 * time.Minute

// Await waits until a condition holds, and reports whether it did.
func Await(condition func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return condition()
}

// Terminal returns a pseudo-terminal that no program reads.
func Terminal(t testing.TB) *os.File {
	t.Helper()
	open := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	master := int(open("/dev/ptmx").Fd())
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err := cmp.Or(err, unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0)); err != nil {
		t.Skip(err)
	}
	return open(fmt.Sprintf("/dev/pts/%d", number))
}

// Running reports whether the process with this ID still runs.
func Running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ") // after the name, in parentheses
	return !strings.HasPrefix(state, "Z")
}

func emulate(args []string) int {
	signal.Reset(syscall.SIGTERM) // the main of a rules_go test blocks it
	kernel, err := os.ReadFile(script(args))
	if err != nil {
		fmt.Fprintf(os.Stderr, "qemu: could not load kernel: %v\n", err)
		return 1
	}
	for line := range strings.Lines(string(kernel[headerSize:])) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "":
		case "print":
			io.WriteString(os.Stdout, must(strconv.Unquote(rest)))
		case "stderr":
			io.WriteString(os.Stderr, must(strconv.Unquote(rest)))
		case "initrd":
			fmt.Printf("%q\n", must(os.ReadFile(value(args, "-initrd"))))
		case "args":
			fmt.Printf("%q\n", args)
		case "pid":
			fmt.Printf("pid %d\n", os.Getpid())
		case "sleep":
			time.Sleep(must(time.ParseDuration(rest)))
		case "chatter":
			for text := must(strconv.Unquote(rest)); ; time.Sleep(10 * time.Millisecond) {
				io.WriteString(os.Stdout, text)
			}
		case "flood":
			for n := must(strconv.Atoi(rest)); n > 0; n -= 4096 {
				os.Stdout.Write(bytes.Repeat([]byte("."), min(n, 4096)))
			}
		case "input":
			s, _ := bufio.NewReader(os.Stdin).ReadString('\n')
			fmt.Printf("input %q\n", s)
		case "deaf":
			signal.Ignore(syscall.SIGTERM)
		case "raw":
			unix.IoctlSetTermios(0, unix.TCSETS, &unix.Termios{}) // all zero is raw enough
			unix.SetNonblock(0, true)
		case "leave":
			c := exec.Command("sleep", strconv.Itoa(int(2*patience.Seconds())))
			c.Stdout = os.Stdout
			if err := c.Start(); err != nil {
				panic(err)
			}
			fmt.Printf("pid %d\n", c.Process.Pid)
		case "hang":
			time.Sleep(patience) // not forever: it ends even if the test fails
		case "files":
			_, dir, _ := strings.Cut(value(args, "-fsdev"), "path=")
			showFiles(dir)
		case "temp":
			fmt.Printf("temp %q\n", os.Getenv("TMPDIR"))
		case "tpm":
			tpm := fileOf(args, "id=tpm,fd=")
			io.WriteString(tpm, "hello\n")
			answer, _ := bufio.NewReader(tpm).ReadString('\n')
			fmt.Printf("tpm %q\n", answer)
		case "die":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "exit":
			return must(strconv.Atoi(rest))
		default:
			panic("unknown verb " + verb)
		}
	}
	return 0
}

// script returns the name of the file that has the script: the payload's disk, or the kernel.
func script(args []string) string {
	for _, arg := range args {
		if properties, name, ok := strings.Cut(arg, ",file="); ok && strings.Contains(properties, "id=payload") {
			return name
		}
	}
	return value(args, "-kernel")
}

// emulateTPM answers each line with its process ID, until QEMU ends.
func emulateTPM(args []string) int {
	lines := bufio.NewScanner(fileOf(args, "type=unixio,clientfd="))
	for socket := fileOf(args, "type=unixio,clientfd="); lines.Scan(); {
		fmt.Fprintf(socket, "pid %d\n", os.Getpid())
	}
	return 0
}

// fileOf returns the open file whose number follows a text in an argument.
func fileOf(args []string, text string) *os.File {
	for _, arg := range args {
		if _, number, ok := strings.Cut(arg, text); ok {
			return os.NewFile(uintptr(must(strconv.Atoi(number))), "inherited")
		}
	}
	panic("no argument has " + text)
}

func showFiles(dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			fmt.Printf("%s %v %q\n", strings.TrimPrefix(path, dir), must(d.Info()).Mode(), must(os.ReadFile(path)))
		}
		return err
	})
	if err != nil {
		panic(err)
	}
}

// value returns the argument after option.
func value(args []string, option string) string {
	if i := slices.Index(args, option); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// must returns the value. A script that is wrong ends the emulator.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
