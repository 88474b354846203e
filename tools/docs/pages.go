package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// checkPages returns a line for each error in pages: code in a page must equal the code in the file
// that it names, and links must lead to existing pages and headings. A page is the path of a
// Markdown file. Paths in a page are relative to its directory.
//
// A fenced block whose info string is a language and a path, such as
//
//	```starlark busybox/BUILD.bazel
//
// must be in that file, line by line. Blocks of starlark and go must have a path. A link
// must lead to one of pages, and to a heading in it. A link to a file outside of the
// pages' directories is not checked.
func checkPages(names []string) ([]string, error) {
	texts := map[string]string{}
	anchors := map[string]map[string]bool{} // of the headings of each page
	directories := map[string]bool{}
	for i, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		name = path.Clean(filepath.ToSlash(name))
		names[i], texts[name] = name, string(data)
		anchors[name], directories[path.Dir(name)] = map[string]bool{}, true
		for _, match := range headingPattern.FindAllStringSubmatch(blank(codeBlock, texts[name]), -1) {
			anchors[name][anchor(match[1])] = true
		}
	}
	var findings []string
	for _, name := range names {
		text := texts[name]
		report := func(at int, message string) {
			if message != "" {
				findings = append(findings, fmt.Sprintf("%s:%d: %s", name, 1+strings.Count(text[:at], "\n"), message))
			}
		}
		for _, at := range codeBlock.FindAllStringIndex(text, -1) {
			if strings.HasPrefix(text[at[0]:], "```") {
				report(at[0], checkBlock(path.Dir(name), text[at[0]:at[1]]))
			}
		}
		text = blank(codePattern, blank(codeBlock, text))
		for _, at := range linkPattern.FindAllStringSubmatchIndex(text, -1) {
			target := text[at[2]:at[3]]
			file, heading, _ := strings.Cut(target, "#")
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
			}
			known, ok := anchors[to]
			switch {
			case strings.Contains(target, "://"):
			case !ok && path.Ext(to) == ".md" && directories[path.Dir(to)]:
				report(at[0], target+": no such page")
			case ok && heading != "" && !known[heading]:
				report(at[0], target+": no such heading")
			}
		}
	}
	return findings, nil
}

var (
	headingPattern = regexp.MustCompile(`(?m)^#+(.*)`)
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codePattern    = regexp.MustCompile("`[^`\n]*`")
)

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

// checkBlock returns what is wrong with a fenced block, or "".
func checkBlock(directory, block string) string {
	info, code, _ := strings.Cut(strings.TrimPrefix(block, "```"), "\n")
	end := strings.LastIndex("\n"+code, "\n```")
	language, file, _ := strings.Cut(info, " ")
	switch {
	case end < 0:
		return "the code block has no end"
	case file == "" && (language == "starlark" || language == "go"):
		return "the code block names no file: write ```" + language + " FILE"
	case file == "":
		return ""
	}
	file = path.Join(directory, file)
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	if !strings.Contains("\n"+string(text), "\n"+code[:end]) {
		return "the code block differs from " + file + ": make them equal"
	}
	return ""
}
