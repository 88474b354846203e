// Package config reads and changes what kbuild calls a .config, and checks what became of
// it.
package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Prefix is what the name of a symbol begins with in a .config.
const Prefix = "CONFIG_"

// Assignment is a line of a .config or of a fragment of one.
type Assignment struct {
	// Symbol is the option's name with its prefix CONFIG_.
	Symbol string
	// Value is y, m, a number, or a quoted string as written. It is n for
	// "# CONFIG_X is not set" too.
	Value string
	// File and Line say where it is.
	File string
	Line int
}

// String returns the line as kbuild writes it.
func (a Assignment) String() string {
	if a.Value == "n" {
		return "# " + a.Symbol + " is not set"
	}
	return a.Symbol + "=" + a.Value
}

var (
	assigned = regexp.MustCompile(`^(CONFIG_[A-Za-z0-9_]+)=(.*)$`)
	unset    = regexp.MustCompile(`^# (CONFIG_[A-Za-z0-9_]+) is not set$`)
	value    = regexp.MustCompile(`^(y|m|n|-?[0-9]+|0[xX][0-9a-fA-F]+|"([^"\\]|\\.)*")$`)
)

// Read reads a .config, or a fragment of one, as Parse does.
func Read(name string) ([]Assignment, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, string(text))
}

// Parse returns the assignments in text, the content of the file with this name. Two
// values of a symbol are an error. So is a line that kbuild would skip with a warning.
func Parse(name, text string) ([]Assignment, error) {
	var all []Assignment
	first := map[string]Assignment{}
	err := scan(name, text, func(a Assignment) error {
		if before, ok := first[a.Symbol]; ok && before.Value != a.Value {
			return fmt.Errorf("%s:%d: %s is %s here and %s in line %d: keep one", name, a.Line, a.Symbol, a.Value, before.Value, before.Line)
		}
		first[a.Symbol] = a
		all = append(all, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ParseValues returns the values in text, the content of the .config with this name. The
// last value of a symbol wins, as it does for kbuild. With an error it returns the values
// in the lines before.
func ParseValues(name, text string) (Values, error) {
	v := Values{}
	err := scan(name, text, func(a Assignment) error {
		v[a.Symbol] = a.Value
		return nil
	})
	return v, err
}

// scan calls each with the assignments in text.
func scan(name, text string, each func(Assignment) error) error {
	line := 0
	for content := range strings.Lines(text) {
		line++
		content = strings.TrimRight(content, " \t\r\n")
		a := Assignment{File: name, Line: line}
		if m := assigned.FindStringSubmatch(content); m != nil {
			a.Symbol, a.Value = m[1], m[2]
		} else if m := unset.FindStringSubmatch(content); m != nil {
			a.Symbol, a.Value = m[1], "n"
		} else if content == "" || content[0] == '#' {
			continue
		} else {
			return fmt.Errorf("%s:%d: %q is not a line of a .config: write CONFIG_NAME=y or # CONFIG_NAME is not set", name, line, content)
		}
		if !value.MatchString(a.Value) {
			return fmt.Errorf("%s:%d: %s: %q is not a value: write y, m, n, a number, or a string in double quotes", name, line, a.Symbol, a.Value)
		}
		if err := each(a); err != nil {
			return err
		}
	}
	return nil
}
