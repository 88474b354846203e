// Package console draws the text of a terminal as an SVG image.
package console

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

// The geometry of a character in a monospaced font, in pixels, and the margin.
const (
	fontSize   = 14
	charWidth  = 8.43
	lineHeight = 20
	margin     = 16
)

// style is the look of the part of a line that a pattern matches. The rest of the line
// has the default color.
type style struct {
	pattern *regexp.Regexp
	class   string
}

var styles = []style{
	{regexp.MustCompile(`^\$ .*`), "command"},
	{regexp.MustCompile(`^INFO:`), "info"},
	{regexp.MustCompile(`^\[ *[0-9.]+\].*|^\.\.\.$`), "kernel"},
	{regexp.MustCompile(`^boot: .*`), "verdict"},
}

const css = `text{font:%dpx ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;fill:#e6edf3;white-space:pre}` +
	`.command{font-weight:bold}.info{fill:#3fb950}.kernel{fill:#8b949e}.verdict{fill:#3fb950;font-weight:bold}`

// SVG returns an image of the text. Colors depend on what lines begin with: a command
// after "$ ", Bazel's "INFO:", a kernel message, or the verdict of the boot runner.
func SVG(title, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	columns := 0
	for _, line := range lines {
		columns = max(columns, len([]rune(line)))
	}
	width := int(float64(columns)*charWidth) + 2*margin
	height := len(lines)*lineHeight + 2*margin
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %[1]d %[2]d\" xml:space=\"preserve\" role=\"img\">\n", width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>"+css+"</style>\n", html.EscapeString(title), fontSize)
	b.WriteString("<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n")
	for i, line := range lines {
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">%s</text>\n", margin, margin+fontSize+i*lineHeight, styled(line))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func styled(line string) string {
	for _, s := range styles {
		if part := s.pattern.FindString(line); part != "" {
			return fmt.Sprintf("<tspan class=%q>%s</tspan>%s", s.class, html.EscapeString(part), html.EscapeString(line[len(part):]))
		}
	}
	return html.EscapeString(line)
}
