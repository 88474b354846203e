package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// checkProse returns a line "FILE:LINE: TEXT: SUGGESTION" for each finding in files, and in
// all files below directories. It reads Markdown, Go, Starlark and shell files, except
// those in testdata directories and those that say "do not edit" or "prose:off" in their
// first 500 bytes.
func checkProse(paths []string) ([]string, error) {
	var findings []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git"):
				return filepath.SkipDir
			case !entry.Type().IsRegular() || !slices.Contains([]string{".md", ".go", ".bzl", ".bazel", ".sh", ""}, filepath.Ext(name)):
				return nil
			}
			text, err := os.ReadFile(name)
			head := strings.ToLower(string(text[:min(len(text), 500)]))
			if err != nil || strings.Contains(head, "do not edit") || strings.Contains(head, "prose:off") ||
				filepath.Ext(name) == "" && !bytes.HasPrefix(text, []byte("#!")) {
				return err
			}
			for _, p := range extract(name, string(text)) {
				for _, f := range checkWords(p) {
					findings = append(findings, fmt.Sprintf("%s:%d: %s", name, f.line, f.text))
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return findings, nil
}

// piece is a piece of prose, and the line of the file on which it begins.
type piece struct {
	line int
	text string
}

var (
	// linkTarget and codeBlock match what is not prose in Markdown.
	linkTarget = regexp.MustCompile(`\]\([^)\n]*\)`)
	codeBlock  = regexp.MustCompile("(?ms)^```.*?(?:^```[^\n]*|\\z)|^    [^\n]*")
	// goToken and scriptToken match comments and literals, in Go and in Starlark or a shell script.
	goToken     = regexp.MustCompile("//[^\n]*|/\\*(?s:.*?)\\*/|\"(?:\\\\.|[^\"\\\\\n])*\"|`[^`]*`|'(?:\\\\.|[^'\\\\\n])*'")
	scriptToken = regexp.MustCompile(`"""(?s:.*?)"""|"(?:\\.|[^"\\\n])*"|#[^\n]*`)
	// commentMark begins a line of a comment.
	commentMark = regexp.MustCompile(`^\s*(//|#)`)
)

// extract returns the paragraphs of a page outside of code blocks, or those of the comments and of
// the strings that are text for people rather than names or paths.
func extract(name, text string) []piece {
	var paragraphs []piece
	next := 0
	add := func(line int, text string) {
		for text := range strings.SplitSeq(text, "\n") {
			text = strings.TrimSpace(commentMark.ReplaceAllString(text, ""))
			if text != "" && line == next { // words match across the lines of a paragraph
				paragraphs[len(paragraphs)-1].text += "\n" + text
			} else if text != "" {
				paragraphs = append(paragraphs, piece{line, text})
			}
			if line++; text != "" {
				next = line
			}
		}
	}
	token := scriptToken
	switch filepath.Ext(name) {
	case ".md":
		add(1, linkTarget.ReplaceAllString(blank(codeBlock, text), "]"))
		return paragraphs
	case ".go":
		token = goToken
	}
	for _, at := range token.FindAllStringIndex(text, -1) {
		line, literal := 1+strings.Count(text[:at[0]], "\n"), text[at[0]:at[1]]
		if literal[0] == '#' || literal[0] == '/' {
			add(line, literal)
		} else if len(strings.Fields(literal)) > 1 {
			add(line, strings.Trim(literal, "`\""))
		}
	}
	return paragraphs
}

// quoted matches quoted code, and words with underscores: identifiers, not prose.
var quoted = regexp.MustCompile("`[^`]*`|\"[^\"\\s]*\"|'[^'\\s]*'|\\S*_\\S*")

func checkWords(p piece) []piece {
	text := blank(quoted, p.text)
	var findings []piece
	for _, w := range wordList {
		if w.allowed != nil {
			text = blank(w.allowed, text)
		}
		for _, at := range w.pattern.FindAllStringIndex(text, -1) {
			found := strings.Join(strings.Fields(text[at[0]:at[1]]), " ")
			line := p.line + strings.Count(text[:at[0]], "\n")
			findings = append(findings, piece{line, fmt.Sprintf("%q: write %s", found, w.suggestion)})
		}
	}
	slices.SortStableFunc(findings, func(a, b piece) int { return a.line - b.line })
	return findings
}

// blank replaces what a pattern matches with a character that no rule matches. Line
// breaks stay.
func blank(pattern *regexp.Regexp, text string) string {
	return pattern.ReplaceAllStringFunc(text, func(found string) string {
		return "`" + strings.Repeat("\n", strings.Count(found, "\n"))
	})
}
