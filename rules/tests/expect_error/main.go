// Command expect_error runs a program that must fail: it checks that the
// program exits with 1, leaves no output, and prints the expected errors.
//
//	expect_error MESSAGES OUTPUT ERRORS PROGRAM [ARGUMENT...]
//
// MESSAGES is the file that gets the program's stderr, and OUTPUT is the file
// that the program must not write. ERRORS is a JSON list that has a list of
// strings for each line of stderr. The line must begin with the name of the
// program and the first string, and must contain the others.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, "expect_error:", err)
		os.Exit(1)
	}
}

func run(messages, output, expected string, command []string) error {
	var want [][]string
	if err := json.Unmarshal([]byte(expected), &want); err != nil {
		return fmt.Errorf("cannot read the expected errors: %w", err)
	}
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
	if err := check(filepath.Base(command[0]), stderr.String(), want); err != nil {
		return err
	}
	return os.WriteFile(messages, stderr.Bytes(), 0o644)
}

// check compares what a program printed with the expected errors.
func check(program, stderr string, want [][]string) error {
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if len(lines) != len(want) {
		return fmt.Errorf("got %d errors, want %d:\n%s", len(lines), len(want), stderr)
	}
	for i, line := range lines {
		if len(want[i]) == 0 {
			return fmt.Errorf("nothing is expected of error %d: %s", i+1, line)
		}
		begin := program + ": " + want[i][0]
		if !strings.HasPrefix(line, begin) {
			return fmt.Errorf("error %d does not begin with %q: %s", i+1, begin, line)
		}
		for _, part := range want[i][1:] {
			if !strings.Contains(line, part) {
				return fmt.Errorf("error %d does not contain %q: %s", i+1, part, line)
			}
		}
	}
	return nil
}
