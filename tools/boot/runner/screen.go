package runner

import (
	"io"
	"os"
	"sync"

	"github.com/rules-initramfs/rules_initramfs/tools/boot/console"
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

func (s *screen) idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watcher.Idle()
}

func (s *screen) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watcher.Close()
}

func (s *screen) finding() console.Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watcher.Finding()
}

func (s *screen) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watcher.Seen()
}

func (s *screen) tail() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watcher.Tail()
}
