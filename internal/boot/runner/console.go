package runner

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
)

// A screen copies the console to its log and to the terminal, and watches it. While QEMU
// runs, its lock protects all but the channel.
type screen struct {
	sync.Mutex
	*console.Watcher
	changed  chan struct{} // has a value after a write
	log      *os.File      // nil for none
	logSpace int64         // the bytes that the log may still get
	logCut   int64         // the bytes that it did not get
	logErr   error         // why the log is incomplete
	terminal io.Writer     // nil for none
}

// maxLog is the maximum size of the console's log, in bytes. A guest can print without end.
const maxLog = 64 << 20

func newScreen(w *console.Watcher, log *os.File) *screen {
	return &screen{Watcher: w, changed: make(chan struct{}, 1), log: log, logSpace: maxLog}
}

// Write never fails: a full disk must not end the boot.
func (s *screen) Write(p []byte) (int, error) {
	if s.terminal != nil {
		s.terminal.Write(p) // if the terminal is gone, a signal reports it
	}
	s.Lock()
	defer s.Unlock()
	s.writeLog(p)
	s.Watcher.Write(p)
	select {
	case s.changed <- struct{}{}:
	default: // the reader has not noticed the last change yet
	}
	return len(p), nil
}

// writeLog adds output of the console to the log.
func (s *screen) writeLog(p []byte) {
	if s.log == nil || s.logErr != nil {
		return
	}
	part := p[:min(int64(len(p)), s.logSpace)]
	s.logSpace -= int64(len(part))
	s.logCut += int64(len(p) - len(part))
	_, s.logErr = s.log.Write(part)
}

// closeLog ends the log. If it is full, it ends with the last lines of the console.
func (s *screen) closeLog() {
	if s.log == nil {
		return
	}
	if s.logErr == nil && s.logCut > 0 {
		_, s.logErr = fmt.Fprintf(s.log, "\n--- cut here: %d bytes more, which end with:\n%s\n", s.logCut, strings.Join(s.Tail(), "\n"))
	}
	s.logErr = cmp.Or(s.logErr, s.log.Close())
}

// A keyboard types text for the guest. A nil keyboard types nothing.
type keyboard struct {
	guest *os.File // the end that QEMU reads
	ours  *os.File
	texts chan string
}

// newKeyboard returns a keyboard for at most this number of texts; nil for none.
func newKeyboard(texts int) (*keyboard, error) {
	if texts == 0 {
		return nil, nil
	}
	guest, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot make a keyboard for the guest: %w", err)
	}
	k := &keyboard{guest: guest, ours: ours, texts: make(chan string, texts)}
	go func() {
		// A guest that does not read must not block the goroutine that watches it.
		for text := range k.texts {
			io.WriteString(k.ours, text)
		}
	}()
	return k, nil
}

// send types text, without waiting for the guest to read it.
func (k *keyboard) send(text string) {
	if k != nil && text != "" {
		k.texts <- text
	}
}

// close removes the keyboard. Until then this process keeps the reading end open too,
// because a write without a reader would raise SIGPIPE.
func (k *keyboard) close() {
	if k != nil {
		close(k.texts)
		k.ours.Close()
		k.guest.Close()
	}
}

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
		if words[i] = a; a == "" || strings.ContainsFunc(a, needsQuotes) {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// needsQuotes reports whether a character may have a special meaning to a shell.
func needsQuotes(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("%+,-./:=@_", r))
}
