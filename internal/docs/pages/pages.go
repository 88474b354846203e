// Package pages checks the pages of the documentation: the code in them is that of the
// files beside them, and their links lead somewhere.
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

// Check returns what is wrong with pages, a line each. A page is a path to a Markdown
// file; other files are found beside it.
//
// A fenced block whose info string is a language and a path, such as
//
//	```starlark busybox/BUILD.bazel
//
// must be in that file, line by line; starlark and go blocks must have a path. Links
// must lead to a page that is given and to a heading in it, or to a file or folder
// outside of the folders of pages, which is not looked at.
func Check(names []string) ([]string, error) {
	all := map[string]*page{}
	folders := map[string]bool{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all[path.Clean(filepath.ToSlash(name))] = parse(string(text))
		folders[path.Dir(filepath.ToSlash(name))] = true
	}
	var faults []string
	for _, name := range names {
		name = path.Clean(filepath.ToSlash(name))
		for _, b := range all[name].blocks {
			if fault := b.check(path.Dir(name)); fault != "" {
				faults = append(faults, fmt.Sprintf("%s:%d: %s", name, b.line, fault))
			}
		}
		for _, l := range all[name].links {
			if fault := l.check(name, all, folders); fault != "" {
				faults = append(faults, fmt.Sprintf("%s:%d: %s: %s", name, l.line, l.target, fault))
			}
		}
	}
	return faults, nil
}

// page is what is looked at in a page.
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
			// Code, too.
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

// anchor is what GitHub makes of a heading: letters, digits, - and _ in lower case,
// blanks as -.
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

func (b block) check(folder string) string {
	switch {
	case b.language == "unclosed":
		return "the block has no end"
	case b.file == "" && (b.language == "starlark" || b.language == "go"):
		return "name the file that the code is from: ```" + b.language + " FILE"
	case b.file == "":
		return ""
	}
	text, err := os.ReadFile(path.Join(folder, b.file))
	if err != nil {
		return err.Error()
	}
	if !strings.Contains("\n"+string(text), "\n"+b.text) {
		return "the block is not in " + path.Join(folder, b.file) + ": make them the same"
	}
	return ""
}

func (l link) check(from string, all map[string]*page, folders map[string]bool) string {
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
	case !ok && path.Ext(to) == ".md" && folders[path.Dir(to)]:
		return "there is no such page"
	case ok && heading != "" && !p.anchors[heading]:
		return "there is no such heading"
	}
	return ""
}
