package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Param is a parameter on the kernel's command line.
type Param struct {
	Name  string // the text before the first =, or all of it
	Value string // the text after it, without quotes around it
}

// Params splits the kernel's command line as the kernel does (next_arg of
// lib/cmdline.c): at white space that is not between double quotes. It drops the
// parameters after "--", which are init's arguments (parse_args of init/main.c).
func Params(line string) []Param {
	var params []Param
	for rest := strings.TrimLeft(line, space); rest != ""; rest = strings.TrimLeft(rest, space) {
		var text string
		if text, rest = cutParam(rest); text == "--" {
			break
		}
		name, value, _ := strings.Cut(unquote(text), "=")
		if name != "" {
			params = append(params, Param{name, unquote(value)})
		}
	}
	return params
}

// space is what the kernel's isspace accepts, except the no-break space, whose byte
// is part of other characters in UTF-8.
const space = " \t\n\v\f\r"

func cutParam(text string) (param, rest string) {
	quoted := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(space, c) >= 0:
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// unquote removes double quotes around text. The last one may be missing.
func unquote(text string) string {
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		return strings.TrimSuffix(inner, `"`)
	}
	return text
}

// Override changes s according to the parameters that begin with "init.":
//
//	init.command="/bin/app -v 'two words'"  the command; empty for none
//	init.env=NAME=VALUE                     one more variable
//	init.module=NAME                        one more module
//	init.autoload=BOOLEAN                   whether to load modules for devices; true without a value
//	init.autoload_blocklist=NAME            one more module that is not loaded for a device
//	init.print_pcrs=NUMBER,NUMBER           PCRs to print; empty for none
//	init.on_exit=ACTION
//	init.on_failure=ACTION
//	init.shell="/bin/sh -l"
//
// Single quotes keep blanks together. If there is an error, s does not change.
//
// The dot in the names keeps the kernel from passing these parameters on to init as
// arguments or variables (unknown_bootoption of init/main.c).
func (s *Settings) Override(params []Param) error {
	changed := *s
	changed.Env = map[string]string{}
	maps.Copy(changed.Env, s.Env)
	changed.Modules = slices.Clone(s.Modules)
	changed.AutoloadBlocklist = slices.Clone(s.AutoloadBlocklist)
	for _, p := range params {
		// In the name of a parameter, - and _ are the same to the kernel.
		name, ok := strings.CutPrefix(strings.ReplaceAll(p.Name, "-", "_"), "init.")
		if !ok {
			continue
		}
		values, err := splitValue(name, p.Value)
		if err == nil {
			err = changed.set(name, values)
		}
		if err != nil {
			return fmt.Errorf("kernel command line: %s: %v", p.Name, err)
		}
	}
	if err := changed.check(); err != nil {
		return fmt.Errorf("kernel command line: init.%v", err)
	}
	*s = changed
	return nil
}

// splitValue returns the values that a parameter gives to a setting.
func splitValue(name, value string) ([]string, error) {
	switch name {
	case "command", "shell":
		return splitArgs(value)
	case "autoload":
		if value == "" {
			value = "true"
		}
	case "print_pcrs":
		if value == "" {
			return nil, nil
		}
		return strings.Split(value, ","), nil
	case "module_parameters":
		return nil, errors.New("write MODULE.PARAMETER=VALUE, as for a module that is part of the kernel")
	case "env":
		variable, value, ok := strings.Cut(value, "=")
		if !ok {
			return nil, fmt.Errorf("%q has no =: write init.env=NAME=VALUE", variable)
		}
		return []string{variable, value}, nil
	}
	return []string{value}, nil
}

// splitArgs splits text at white space that is not between single quotes.
func splitArgs(text string) ([]string, error) {
	var args []string
	var arg strings.Builder
	started, quoted := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\'':
			quoted, started = !quoted, true
		case !quoted && strings.IndexByte(space, c) >= 0:
			if started {
				args = append(args, arg.String())
				arg.Reset()
				started = false
			}
		default:
			started = true
			arg.WriteByte(c)
		}
	}
	if quoted {
		return nil, fmt.Errorf("%q has an unmatched '", text)
	}
	if started {
		args = append(args, arg.String())
	}
	return args, nil
}
