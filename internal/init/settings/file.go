package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Read returns the settings in a file, whose lines are a name and values as
// strings of Go, with blanks between:
//
//	command "/bin/app" "--verbose" "two words"
//	env "NAME" "VALUE"
//	module "erofs"
//	on_exit "poweroff"
//	on_failure "shell"
//	shell "/bin/sh" "-l"
//
// Empty lines and those that begin with # say nothing; of lines with the same
// name, but env and module, the last one counts. What the file leaves out is as
// in Default, and so is all of it when there is no such file; OnFailure is then
// as OnExit.
func Read(name string) (Settings, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Default(), nil
	}
	if err != nil {
		return Default(), err
	}
	return parse(name, string(text))
}

func parse(name, text string) (Settings, error) {
	s := Default()
	s.OnFailure = ""
	s.Env = map[string]string{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if err := s.set(strings.TrimSpace(line)); err != nil {
			return Default(), fmt.Errorf("%s:%d: %v", name, number, err)
		}
	}
	if s.OnFailure == "" {
		s.OnFailure = s.OnExit
	}
	if err := s.check(name); err != nil {
		return Default(), err
	}
	return s, nil
}

// set takes over what a line says.
func (s *Settings) set(line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	name, rest, _ := strings.Cut(line, " ")
	values, err := unquote(rest)
	if err != nil {
		return fmt.Errorf("%s: %v", name, err)
	}
	want := map[string]int{"env": 2, "module": 1, "on_exit": 1, "on_failure": 1}[name]
	if len(values) == 0 || want != 0 && len(values) != want {
		return fmt.Errorf("%s: there are %d values: want %d or, of command and shell, a program and its arguments", name, len(values), max(want, 1))
	}
	switch name {
	case "command":
		s.Command = values
	case "env":
		s.Env[values[0]] = values[1]
	case "module":
		s.Modules = append(s.Modules, values[0])
	case "on_exit":
		s.OnExit = Action(values[0])
	case "on_failure":
		s.OnFailure = Action(values[0])
	case "shell":
		s.Shell = values
	default:
		return fmt.Errorf("%s: it is not known: there are command, env, module, on_exit, on_failure, shell", name)
	}
	return nil
}

// unquote reads strings with blanks between.
func unquote(text string) ([]string, error) {
	var values []string
	for text = strings.TrimLeft(text, " \t"); text != ""; text = strings.TrimLeft(text, " \t") {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q does not begin with a string in quotes", text)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("%s is no string", quoted)
		}
		values = append(values, value)
		text = text[len(quoted):]
	}
	return values, nil
}
