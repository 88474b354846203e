package prose

import (
	"go/scanner"
	"go/token"
	"regexp"
	"strings"
)

// piece is a piece of prose, and the line of the file on which it begins.
type piece struct {
	line int
	text string
}

var linkTarget = regexp.MustCompile(`\]\([^)]*\)`)

// markdown returns the lines of a page outside of code blocks.
func markdown(text []byte) []piece {
	var pieces []piece
	fenced := false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case !fenced && !strings.HasPrefix(line, "    "):
			pieces = append(pieces, piece{i + 1, linkTarget.ReplaceAllString(line, "]")})
		}
	}
	return pieces
}

// goText returns the comments and the strings of a Go file, a piece for each line.
func goText(text []byte) []piece {
	var pieces []piece
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments)
	for {
		pos, kind, literal := s.Scan()
		switch kind {
		case token.EOF:
			return pieces
		case token.STRING:
			if !isSentence(literal) {
				continue
			}
			literal = strings.Trim(literal, "`\"")
		case token.COMMENT:
		default:
			continue
		}
		pieces = append(pieces, lines(file.Line(pos), literal)...)
	}
}

// script returns the comments and the strings of a Starlark file or a shell script.
func script(text []byte) []piece {
	var pieces []piece
	rest, line := string(text), 1
	for len(rest) > 0 {
		found := scriptToken.FindStringIndex(rest)
		if found == nil {
			break
		}
		line += strings.Count(rest[:found[0]], "\n")
		literal := rest[found[0]:found[1]]
		if literal[0] == '#' || isSentence(literal) {
			pieces = append(pieces, lines(line, literal)...)
		}
		line += strings.Count(literal, "\n")
		rest = rest[found[1]:]
	}
	return pieces
}

var scriptToken = regexp.MustCompile(`"""(?s:.*?)"""|"(?:\\.|[^"\\\n])*"|#[^\n]*`)

// isSentence reports whether a string is text for people rather than a name or a path.
func isSentence(literal string) bool { return len(strings.Fields(literal)) > 1 }

// commentMark begins a line of a comment.
var commentMark = regexp.MustCompile(`^\s*(//|#)`)

// join joins the lines of a paragraph, so that words match across them.
func join(pieces []piece) []piece {
	var paragraphs []piece
	next := 0
	for _, p := range pieces {
		text := strings.TrimSpace(commentMark.ReplaceAllString(p.text, ""))
		switch {
		case text == "":
			continue
		case p.line == next:
			paragraphs[len(paragraphs)-1].text += "\n" + text
		default:
			paragraphs = append(paragraphs, piece{p.line, text})
		}
		next = p.line + 1
	}
	return paragraphs
}

func lines(first int, text string) []piece {
	var pieces []piece
	for i, line := range strings.Split(text, "\n") {
		pieces = append(pieces, piece{first + i, line})
	}
	return pieces
}
