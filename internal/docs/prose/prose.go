// Package prose checks the words of the project: Markdown pages, comments, and strings
// that are meant for people.
package prose

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

// Check returns a line "FILE:LINE: TEXT: SUGGESTION" for each finding in files, and in
// all files below directories. It reads Markdown, Go, Starlark and shell files, except
// those in testdata directories and those that say "do not edit" or "prose:off" in their
// first 500 bytes.
func Check(paths []string) ([]string, error) {
	var findings []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git"):
				return filepath.SkipDir
			case !entry.Type().IsRegular():
				return nil
			}
			extract := extractor(name)
			if extract == nil {
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil || isSkipped(text) || filepath.Ext(name) == "" && !bytes.HasPrefix(text, []byte("#!")) {
				return err
			}
			for _, piece := range join(extract(text)) {
				for _, f := range check(piece) {
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

func extractor(name string) func([]byte) []piece {
	switch filepath.Ext(name) {
	case ".md":
		return markdown
	case ".go":
		return goText
	case ".bzl", ".bazel", ".sh", "":
		return script
	}
	return nil
}

func isSkipped(text []byte) bool {
	head := strings.ToLower(string(text[:min(len(text), 500)]))
	return strings.Contains(head, "do not edit") || strings.Contains(head, "prose:off")
}

// quoted matches quoted code, and words with underscores: identifiers, not prose.
var quoted = regexp.MustCompile("`[^`]*`|\"[^\"\\s]*\"|'[^'\\s]*'|\\S*_\\S*")

func check(p piece) []piece {
	text := blank(quoted, p.text)
	var findings []piece
	for _, r := range rules {
		if r.allowed != nil {
			text = blank(r.allowed, text)
		}
		for _, at := range r.pattern.FindAllStringIndex(text, -1) {
			found := strings.Join(strings.Fields(text[at[0]:at[1]]), " ")
			line := p.line + strings.Count(text[:at[0]], "\n")
			findings = append(findings, piece{line, fmt.Sprintf("%q: write %s", found, r.suggestion)})
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
