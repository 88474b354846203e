// Command expect_error runs a program that has to refuse: it checks that the
// program exits with 1 and leaves no output, and keeps what it says.
//
//	expect_error MESSAGE OUTPUT PROGRAM [ARGUMENT...]
//
// MESSAGE is the file that gets the program's stderr; OUTPUT is the file that the
// program must not write.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "expect_error:", err)
		os.Exit(1)
	}
}

func run(message, output string, command []string) error {
	var stderr bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err == nil {
		return fmt.Errorf("%q succeeded", command)
	}
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		return fmt.Errorf("%q: %w, want exit status 1:\n%s", command, err, &stderr)
	}
	if _, err := os.Stat(output); err == nil {
		return fmt.Errorf("%q failed and left %s", command, output)
	}
	return os.WriteFile(message, stderr.Bytes(), 0o644)
}
