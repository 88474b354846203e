// Package config reads and changes what kbuild calls a .config, and checks what became of it.
package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Prefix is what a symbol has in front in a .config.
const Prefix = "CONFIG_"

// Assignment is a line of a .config or of a fragment of one.
type Assignment struct {
	// Symbol is the option's name, CONFIG_ in front.
	Symbol string
	// Value is y, m, a number or a quoted string as it is written; n also for
	// "# CONFIG_X is not set".
	Value string
	// File and Line say where it is.
	File string
	Line int
}

// String is the line as kbuild writes it.
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

// Read reads a .config, or a fragment of one.
func Read(name string) ([]Assignment, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, string(text))
}

// Parse reads what is in the file with this name. A symbol that has two values in one file
// is an error, and so is a line that kbuild would pass over with a warning.
func Parse(name, text string) ([]Assignment, error) {
	var all []Assignment
	first := map[string]Assignment{}
	line := 0
	for content := range strings.Lines(text) {
		line++
		content = strings.TrimRight(content, " \t\r\n")
		var a Assignment
		if m := assigned.FindStringSubmatch(content); m != nil {
			a = Assignment{Symbol: m[1], Value: m[2]}
		} else if m := unset.FindStringSubmatch(content); m != nil {
			a = Assignment{Symbol: m[1], Value: "n"}
		} else if content == "" || content[0] == '#' {
			continue
		} else {
			return nil, fmt.Errorf("%s:%d: %q is no line of a .config: want CONFIG_NAME=y, or # CONFIG_NAME is not set", name, line, content)
		}
		a.File, a.Line = name, line
		if !value.MatchString(a.Value) {
			return nil, fmt.Errorf("%s:%d: %s: %q is no value: want y, m, n, a number or a string in double quotes", name, line, a.Symbol, a.Value)
		}
		if before, ok := first[a.Symbol]; ok && before.Value != a.Value {
			return nil, fmt.Errorf("%s:%d: %s is %s here and %s in line %d: keep one", name, line, a.Symbol, a.Value, before.Value, before.Line)
		}
		first[a.Symbol] = a
		all = append(all, a)
	}
	return all, nil
}
