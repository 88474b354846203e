// Package prose checks the words of the project: Markdown pages, comments, and strings
// that are meant for people.
package prose

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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
			case entry.IsDir() && entry.Name() == "testdata":
				return filepath.SkipDir
			case entry.IsDir():
				return nil
			}
			extract := extractor(name)
			if extract == nil {
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil || isSkipped(text) {
				return err
			}
			for _, piece := range extract(text) {
				for _, finding := range check(piece.text) {
					findings = append(findings, fmt.Sprintf("%s:%d: %s", name, piece.line, finding))
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

// quoted matches quoted code, and words with capitals or underscores inside them:
// identifiers, not prose.
var quoted = regexp.MustCompile("`[^`]*`|\"[^\" ]*\"|'[^' ]*'|\\S*_\\S*")

func check(text string) []string {
	text = quoted.ReplaceAllString(text, "`")
	var findings []string
	for _, r := range rules {
		if r.allowed != nil {
			text = r.allowed.ReplaceAllString(text, "`")
		}
		for _, found := range r.pattern.FindAllString(text, -1) {
			findings = append(findings, fmt.Sprintf("%q: write %s", found, r.suggestion))
		}
	}
	return findings
}
