// Package progress shows on a terminal how far a command is.
package progress

import (
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// delay is how long a command runs before anything is shown.
	delay = time.Second
	// interval is how often the line is written again.
	interval = 200 * time.Millisecond
	// erase goes to the beginning of the line and clears it (ECMA-48).
	erase = "\r\x1b[K"
)

// Line is the last line of a terminal, written again and again while a command
// runs. A nil Line shows nothing.
type Line struct {
	terminal *os.File
	begun    time.Time
	stop     chan struct{}
	stopped  sync.WaitGroup

	mu          sync.Mutex
	done, total int
	bytes       int64
	shown       bool
}

// Start returns a Line that appears after a second, or nil if f is no terminal
// or one that cannot erase a line, by the variable TERM. Stop ends it.
func Start(f *os.File) *Line {
	if term := os.Getenv("TERM"); term == "" || term == "dumb" {
		return nil
	}
	if _, ok := columns(f); !ok {
		return nil
	}
	l := &Line{terminal: f, begun: time.Now(), stop: make(chan struct{})}
	l.stopped.Go(l.run)
	return l
}

// Set says how many entries of all are done, and how many bytes they make.
func (l *Line) Set(done, total int, bytes int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.done, l.total, l.bytes = done, total, bytes
	l.mu.Unlock()
}

// Aside erases the line while message writes to the terminal.
func (l *Line) Aside(message func()) {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.erase()
	}
	message()
}

// Stop erases the line for good.
func (l *Line) Stop() {
	if l == nil {
		return
	}
	close(l.stop)
	l.stopped.Wait()
	l.Aside(func() {})
}

func (l *Line) run() {
	next := time.NewTimer(delay)
	defer next.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-next.C:
			l.draw(time.Since(l.begun))
			next.Reset(interval)
		}
	}
}

func (l *Line) draw(elapsed time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%d of %d entries, %.1f MB, %.1f MB/s", l.done, l.total,
		float64(l.bytes)/1e6, float64(l.bytes)/1e6/elapsed.Seconds())
	if width, ok := columns(l.terminal); ok && width > 0 && len(text) >= width {
		text = text[:width-1] // a line that wraps is two
	}
	l.terminal.WriteString(erase + text)
	l.shown = true
}

func (l *Line) erase() {
	if l.shown {
		l.terminal.WriteString(erase)
		l.shown = false
	}
}
