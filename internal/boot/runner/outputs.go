package runner

import (
	"os"
	"path/filepath"
	"strings"
)

// Names of the files kept for whoever reads a test's outputs.
const (
	consoleLog  = "console.log"
	commandFile = "qemu-command.txt"
	resultFile  = "result.json"
)

// openOutputs writes the command line argv to dir and returns the console log
// there, to be written as the console comes. An empty dir keeps nothing.
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

// shellQuote returns argv as a line a POSIX shell reads as argv.
func shellQuote(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		if a == "" || strings.ContainsFunc(a, special) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words[i] = a
	}
	return strings.Join(words, " ")
}

// special reports whether a shell may see more in r than the character.
func special(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("%+,-./:=@_", r)
}
