package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The geometry of a character in a monospaced font, in pixels, and the margin.
const (
	fontSize   = 14
	charWidth  = 8.43
	lineHeight = 20
	margin     = 16
)

// styledPart matches the part of a line that has the look of its group's name, in HTML. The rest has the default color.
var styledPart = regexp.MustCompile(`^(?:(?P<command>\$ .*)|(?P<info>INFO:)|(?P<kernel>\[ *[0-9.]+\].*|\.\.\.$)|(?P<verdict>boot: .*))`)

const svgHead = `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" xml:space="preserve" role="img">
<title>%s</title>
<style>text{font:%dpx ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;fill:#e6edf3;white-space:pre}` +
	`.command{font-weight:bold}.info{fill:#3fb950}.kernel{fill:#8b949e}.verdict{fill:#3fb950;font-weight:bold}</style>
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
`

// svg draws the text of a terminal. Colors depend on what lines begin with: a command after "$ ",
// Bazel's "INFO:", a kernel message, or the verdict of the boot runner.
func svg(title, text string) string {
	var b strings.Builder
	columns, y := 0, margin+fontSize
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		columns = max(columns, utf8.RuneCountInString(line))
		line = html.EscapeString(line)
		for i, part := range styledPart.FindStringSubmatch(line) {
			if i > 0 && part != "" {
				line = fmt.Sprintf("<tspan class=%q>%s</tspan>%s", styledPart.SubexpNames()[i], part, line[len(part):])
			}
		}
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">%s</text>\n", margin, y, line)
		y += lineHeight
	}
	width, height := int(float64(columns)*charWidth)+2*margin, y-fontSize+margin
	return fmt.Sprintf(svgHead, width, height, html.EscapeString(title), fontSize) + b.String() + "</svg>\n"
}
