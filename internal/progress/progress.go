// Package progress shows the progress of a command on a terminal.
package progress

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	// delay is how long a command runs before anything is shown.
	delay = time.Second
	// interval is the time between two updates of the line.
	interval = 200 * time.Millisecond
	// erase goes to the beginning of the line and clears it (ECMA-48).
	erase = "\r\x1b[K"
)

// Line is the last line of a terminal, updated while a command runs. A nil Line shows
// nothing.
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

// Start returns a Line that appears after a second. It returns nil if f is not a terminal or,
// by the variable TERM, cannot erase a line. Stop ends it.
func Start(f *os.File) *Line {
	if kind := os.Getenv("TERM"); kind == "" || kind == "dumb" {
		return nil
	}
	if !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	l := &Line{terminal: f, begun: time.Now(), stop: make(chan struct{})}
	l.stopped.Go(l.run)
	return l
}

// Set sets how many of the entries are done, and the size of those in bytes.
func (l *Line) Set(done, total int, bytes int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.done, l.total, l.bytes = done, total, bytes
	l.mu.Unlock()
}

// Interrupt erases the line and calls message, which may write to the terminal.
func (l *Line) Interrupt(message func()) {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.erase()
	}
	message()
}

// Stop erases the line and ends it.
func (l *Line) Stop() {
	if l == nil {
		return
	}
	close(l.stop)
	l.stopped.Wait()
	l.Interrupt(func() {})
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
	if width, _, err := term.GetSize(int(l.terminal.Fd())); err == nil && width > 0 && len(text) >= width {
		text = text[:width-1] // erase clears one line: this one must not wrap
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
