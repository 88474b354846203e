package runner

import (
	"io"
	"os"
	"sync"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
)

// A screen copies the console to its log and to the terminal, and watches it. Its methods
// are safe for concurrent use.
type screen struct {
	changed chan struct{} // has a value after a write

	mu       sync.Mutex
	watcher  *console.Watcher
	log      *os.File  // nil for none
	logErr   error     // why the log is incomplete
	terminal io.Writer // nil for none
}

func newScreen(w *console.Watcher, log *os.File, terminal io.Writer) *screen {
	return &screen{
		changed:  make(chan struct{}, 1),
		watcher:  w,
		log:      log,
		terminal: terminal,
	}
}

// Write never fails: a full disk must not end the boot.
func (s *screen) Write(p []byte) (int, error) {
	if s.terminal != nil {
		s.terminal.Write(p) // if the terminal is gone, a signal reports it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log != nil && s.logErr == nil {
		_, s.logErr = s.log.Write(p)
	}
	s.watcher.Write(p)
	select {
	case s.changed <- struct{}{}:
	default: // the reader has not noticed the last change yet
	}
	return len(p), nil
}

// withWatcher calls f while no other goroutine uses the watcher.
func (s *screen) withWatcher(f func(w *console.Watcher)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.watcher)
}

// query returns the result of a method of the watcher.
func query[T any](s *screen, f func(w *console.Watcher) T) (result T) {
	s.withWatcher(func(w *console.Watcher) { result = f(w) })
	return result
}

func (s *screen) idle()  { s.withWatcher((*console.Watcher).Idle) }
func (s *screen) close() { s.withWatcher((*console.Watcher).Close) }

func (s *screen) takeInput() string              { return query(s, (*console.Watcher).TakeInput) }
func (s *screen) finding() console.Finding       { return query(s, (*console.Watcher).Finding) }
func (s *screen) kernelStarted() bool            { return query(s, (*console.Watcher).KernelStarted) }
func (s *screen) missing() []console.Expectation { return query(s, (*console.Watcher).Missing) }
func (s *screen) stages() []console.Stage        { return query(s, (*console.Watcher).Stages) }
func (s *screen) tail() []string                 { return query(s, (*console.Watcher).Tail) }
func (s *screen) expectations() []console.Expectation {
	return query(s, (*console.Watcher).Expectations)
}

// hasOutput reports whether the console has shown anything.
func (s *screen) hasOutput() bool { return len(s.stages()) > 0 }
