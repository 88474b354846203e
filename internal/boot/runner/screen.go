package runner

import (
	"io"
	"os"
	"sync"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
)

// A screen passes the console on to its log and to the terminal, and watches
// it. Its methods may be called at the same time.
type screen struct {
	changed chan struct{} // holds a value when something was written

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

// Write never fails: a full disk is no reason to stop watching the boot.
func (s *screen) Write(p []byte) (int, error) {
	if s.terminal != nil {
		s.terminal.Write(p) // a terminal gone away is for its signal to report
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log != nil && s.logErr == nil {
		_, s.logErr = s.log.Write(p)
	}
	s.watcher.Write(p)
	select {
	case s.changed <- struct{}{}:
	default: // a change not yet noticed stands for this one too
	}
	return len(p), nil
}

// locked calls f with the watcher to itself.
func (s *screen) locked(f func(w *console.Watcher)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.watcher)
}

// ask returns what f says of the watcher.
func ask[T any](s *screen, f func(w *console.Watcher) T) (answer T) {
	s.locked(func(w *console.Watcher) { answer = f(w) })
	return answer
}

func (s *screen) idle()  { s.locked((*console.Watcher).Idle) }
func (s *screen) close() { s.locked((*console.Watcher).Close) }

func (s *screen) answers() string           { return ask(s, (*console.Watcher).Answers) }
func (s *screen) finding() console.Finding  { return ask(s, (*console.Watcher).Finding) }
func (s *screen) kernelStarted() bool       { return ask(s, (*console.Watcher).KernelStarted) }
func (s *screen) missing() []console.Wanted { return ask(s, (*console.Watcher).Missing) }
func (s *screen) stages() []console.Stage   { return ask(s, (*console.Watcher).Stages) }
func (s *screen) tail() []string            { return ask(s, (*console.Watcher).Tail) }
func (s *screen) wanted() []console.Wanted  { return ask(s, (*console.Watcher).Wanted) }

// anything reports whether there was anything to be seen.
func (s *screen) anything() bool { return len(s.stages()) > 0 }
