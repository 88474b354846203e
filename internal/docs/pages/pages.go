// Package pages checks the pages of the documentation: code in a page equals the code
// in the file that it names, and links lead to existing pages and headings.
package pages

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// Check returns a line for each error in pages. A page is the path of a Markdown file.
// Paths in a page are relative to its directory.
//
// A fenced block whose info string is a language and a path, such as
//
//	```starlark busybox/BUILD.bazel
//
// must be in that file, line by line. Blocks of starlark and go must have a path. A link
// must lead to one of pages, and to a heading in it. A link to a file outside of the
// pages' directories is not checked.
func Check(names []string) ([]string, error) {
	all := map[string]*page{}
	directories := map[string]bool{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all[path.Clean(filepath.ToSlash(name))] = parse(string(text))
		directories[path.Dir(filepath.ToSlash(name))] = true
	}
	var findings []string
	for _, name := range names {
		name = path.Clean(filepath.ToSlash(name))
		for _, b := range all[name].blocks {
			if message := b.check(path.Dir(name)); message != "" {
				findings = append(findings, fmt.Sprintf("%s:%d: %s", name, b.line, message))
			}
		}
		for _, l := range all[name].links {
			if message := l.check(name, all, directories); message != "" {
				findings = append(findings, fmt.Sprintf("%s:%d: %s: %s", name, l.line, l.target, message))
			}
		}
	}
	return findings, nil
}

// page has the parts of a page that are checked.
type page struct {
	blocks  []block
	links   []link
	anchors map[string]bool
}

// block is a fenced block.
type block struct {
	line           int
	language, file string
	text           string
}

type link struct {
	line   int
	target string
}

var (
	linkPattern = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codePattern = regexp.MustCompile("`[^`]*`")
)

func parse(text string) *page {
	p := &page{anchors: map[string]bool{}}
	var open *block
	for i, line := range strings.Split(text, "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 1}
			open.language, open.file, _ = strings.Cut(info, " ")
		case fence:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "    "):
			// An indented line is code, too.
		default:
			if title := strings.TrimLeft(line, "#"); title != line {
				p.anchors[anchor(title)] = true
			}
			for _, match := range linkPattern.FindAllStringSubmatch(codePattern.ReplaceAllString(line, ""), -1) {
				p.links = append(p.links, link{i + 1, match[1]})
			}
		}
	}
	if open != nil {
		open.file, open.language = "", "unclosed"
		p.blocks = append(p.blocks, *open)
	}
	return p
}

// anchor returns the anchor that GitHub gives to a heading: letters, digits, - and _ in
// lower case; a space becomes -.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(title))
}

func (b block) check(directory string) string {
	switch {
	case b.language == "unclosed":
		return "the code block has no end"
	case b.file == "" && (b.language == "starlark" || b.language == "go"):
		return "the code block names no file: write ```" + b.language + " FILE"
	case b.file == "":
		return ""
	}
	text, err := os.ReadFile(path.Join(directory, b.file))
	if err != nil {
		return err.Error()
	}
	if !strings.Contains("\n"+string(text), "\n"+b.text) {
		return "the code block differs from " + path.Join(directory, b.file) + ": make them equal"
	}
	return ""
}

func (l link) check(from string, all map[string]*page, directories map[string]bool) string {
	if strings.Contains(l.target, "://") {
		return ""
	}
	file, heading, _ := strings.Cut(l.target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
	}
	p, ok := all[to]
	switch {
	case !ok && path.Ext(to) == ".md" && directories[path.Dir(to)]:
		return "no such page"
	case ok && heading != "" && !p.anchors[heading]:
		return "no such heading"
	}
	return ""
}
