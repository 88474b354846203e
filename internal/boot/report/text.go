package report

import (
	"fmt"
	"io"
	"strings"
)

// WriteTimeline writes the timeline, a line an event.
func (r *Report) WriteTimeline(w io.Writer) {
	for _, e := range r.Timeline {
		line := fmt.Sprintf("%7.1f s  %s", e.Time, e.Stage)
		if e.Text != "" {
			line += ": " + Excerpt(e.Text, 120)
		}
		fmt.Fprintln(w, line)
	}
}

// Excerpt cuts text to at most size bytes, and says so.
func Excerpt(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size], "") + "..."
}
