package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Read reads settings from a file. Each line is a name, and values as quoted Go
// strings with blanks between them:
//
//	command "/bin/app" "--verbose" "two words"
//	env "NAME" "VALUE"
//	module "erofs"
//	module_parameters "loop" "max_loop=8"
//	autoload "true"
//	autoload_blocklist "pcspkr"
//	print_pcrs "4" "11"
//	on_exit "poweroff"
//	on_failure "shell"
//	shell "/bin/sh" "-l"
//
// Lines that are empty or begin with # are ignored. Env, module,
// module_parameters and autoload_blocklist may be repeated; of others the last one wins. Settings that the file lacks are those of
// Default, except that OnFailure is the same as OnExit. If there is no such file,
// all settings are those of Default.
//
// The format is not JSON because encoding/json would make the program, which is part
// of every image, 40 % larger.
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
		if err := s.parseLine(strings.TrimSpace(line)); err != nil {
			return Default(), fmt.Errorf("%s:%d: %v", name, number, err)
		}
	}
	if s.OnFailure == "" {
		s.OnFailure = s.OnExit
	}
	if err := s.check(); err != nil {
		return Default(), fmt.Errorf("%s: %v", name, err)
	}
	return s, nil
}

func (s *Settings) parseLine(line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	name, rest, _ := strings.Cut(line, " ")
	values, err := unquoteAll(rest)
	if err == nil && len(values) == 0 {
		err = errors.New("there is no value")
	}
	if err == nil {
		err = s.set(name, values)
	}
	if err != nil {
		return fmt.Errorf("%s: %v", name, err)
	}
	return nil
}

// unquoteAll reads quoted strings with blanks between them.
func unquoteAll(text string) ([]string, error) {
	var values []string
	for text = strings.TrimLeft(text, " \t"); text != ""; text = strings.TrimLeft(text, " \t") {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q does not begin with a quoted string", text)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("%s is not a valid string", quoted)
		}
		values = append(values, value)
		text = text[len(quoted):]
	}
	return values, nil
}
