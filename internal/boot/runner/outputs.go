package runner

import (
	"os"
	"path/filepath"
	"strings"
)

// Names of files among the test's undeclared outputs.
const (
	consoleLog  = "console.log"
	commandFile = "qemu-command.txt"
	resultFile  = "result.json"
)

// openOutputs writes the command line argv to dir, and returns the console's log there. If
// dir is empty, it writes nothing.
func openOutputs(dir string, argv []string) (log *os.File, err error) {
	if dir == "" {
		return nil, nil
	}
	command := []byte(shellQuote(argv) + "\n")
	if err := os.WriteFile(filepath.Join(dir, commandFile), command, 0o644); err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(dir, consoleLog))
}

// shellQuote returns a line that a POSIX shell splits into argv.
func shellQuote(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		if a == "" || strings.ContainsFunc(a, needsQuotes) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words[i] = a
	}
	return strings.Join(words, " ")
}

// needsQuotes reports whether a character may have a special meaning to a shell.
func needsQuotes(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("%+,-./:=@_", r)
}
