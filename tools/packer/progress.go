package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	// progressDelay is how long a command runs before anything is shown.
	progressDelay = time.Second
	// progressInterval is the time between two updates of the line.
	progressInterval = 200 * time.Millisecond
	// erase goes to the beginning of the line and clears it (ECMA-48).
	erase = "\r\x1b[K"
)

// progressLine is the last line of a terminal, updated while a command runs. A nil progressLine shows nothing.
type progressLine struct {
	terminal *os.File
	begun    time.Time

	mu          sync.Mutex
	timer       *time.Timer // calls draw; nil after stop
	done, total int
	bytes       int64
	isShown     bool
}

// startProgress returns a line that appears after progressDelay. It returns nil if f is not a
// terminal or, by the variable TERM, cannot erase a line. stop ends it.
func startProgress(f *os.File) *progressLine {
	if kind := os.Getenv("TERM"); kind == "" || kind == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	l := &progressLine{terminal: f, begun: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(progressDelay, l.draw)
	return l
}

// set sets how many of the entries are done, and the size of those in bytes.
func (l *progressLine) set(done, total int, bytes int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done, l.total, l.bytes = done, total, bytes
}

// interrupt erases the line and calls message, which may write to the terminal.
func (l *progressLine) interrupt(message func()) {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.isShown {
			l.terminal.WriteString(erase)
			l.isShown = false
		}
	}
	message()
}

// stop erases the line and ends it.
func (l *progressLine) stop() {
	if l != nil {
		l.interrupt(func() {
			l.timer.Stop()
			l.timer = nil
		})
	}
}

func (l *progressLine) draw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil {
		return
	}
	text := fmt.Sprintf("%d of %d entries, %.1f MB, %.1f MB/s", l.done, l.total,
		float64(l.bytes)/1e6, float64(l.bytes)/1e6/time.Since(l.begun).Seconds())
	if width, _, err := term.GetSize(int(l.terminal.Fd())); err == nil && width > 0 && len(text) >= width {
		text = text[:width-1] // erase clears one line: this one must not wrap
	}
	l.terminal.WriteString(erase + text)
	l.isShown = true
	l.timer.Reset(progressInterval)
}
