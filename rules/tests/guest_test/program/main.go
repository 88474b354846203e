// Program ends in a guest in the way that its first argument names.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	if err := do(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "program:", err)
		os.Exit(2)
	}
}

func do(what string, args []string) error {
	switch what {
	case "exit":
		code, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "hang":
		time.Sleep(time.Hour)
	case "kill":
		signal, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return syscall.Kill(os.Getpid(), syscall.Signal(signal))
	case "outputs":
		return outputs()
	case "panic":
		return os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	case "system":
		return checkSystem()
	case "print":
		text, err := strconv.Unquote(args[0])
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(args[1])
		fmt.Print(strings.Repeat(text, n))
		return err
	case "power off":
		return syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	}
	return fmt.Errorf("unknown argument %q", what)
}

// outputs writes files, prints to standard output and standard error, makes the kernel print
// a message, and ends without a newline.
func outputs() error {
	for name, content := range map[string]string{
		os.Getenv("XML_OUTPUT_FILE"): "<testsuites/>\n",
		filepath.Join(os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"), "dir", "file"): string(make([]byte, 300_000)),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	undeclared := os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR")
	for _, name := range []string{"console.log", "result.json", "not UTF-8 \xff"} {
		if err := os.WriteFile(filepath.Join(undeclared, name), []byte("the test's"), 0o644); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"latest": "dir", "version": "/proc/sys/kernel/ostype", "passwd": "/etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(undeclared, name)); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(undeclared, "empty"), 0o755), syscall.Mkfifo(filepath.Join(undeclared, "fifo"), 0o600)); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, os.Getenv("ASKED_FOR"))
	if err := os.WriteFile("/dev/kmsg", []byte("<1>from the kernel\n"), 0); err != nil {
		return err
	}
	fmt.Print("no end")
	return nil
}

// checkSystem checks what programs expect of any system.
func checkSystem() error {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "served") }))
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return err
	}
	listener.Close()
	for _, name := range []string{"/dev/fd/1", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/null", "/dev/urandom", "/dev/tty"} {
		if _, err := os.Stat(name); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/tmp", "/dev/shm"} {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if want := fs.ModeDir | fs.ModeSticky | 0o777; info.Mode() != want {
			return fmt.Errorf("%s has mode %v, want %v", dir, info.Mode(), want)
		}
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			return err
		}
	}
	return openTerminal()
}

// openTerminal opens a pseudo-terminal, as a C library does.
func openTerminal() error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer terminal.Close()
	info, err := terminal.Stat()
	if err != nil {
		return err
	}
	if mode, gid := info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Gid; mode != 0o620 || gid != 5 {
		return fmt.Errorf("the terminal has mode %v and group %d, want 0620 and 5", mode, gid)
	}
	return nil
}
