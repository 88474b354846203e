// Program ends in a guest in the way that its first argument names.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
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
