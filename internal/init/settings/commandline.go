package settings

import (
	"fmt"
	"strings"
)

// A Word is a parameter of the kernel's command line.
type Word struct {
	Name  string // what is before the first =, or all of it
	Value string // what is behind it, without the quotes around it
}

// Words splits a kernel's command line as the kernel does (lib/cmdline.c,
// next_arg): at white space that is not between double quotes. What is behind a
// word "--" is init's own, and left out (init/main.c, parse_args).
func Words(line string) []Word {
	var words []Word
	for rest := line; ; {
		rest = strings.TrimLeft(rest, space)
		if rest == "" {
			return words
		}
		var text string
		text, rest = nextWord(rest)
		if text == "--" {
			return words
		}
		if w := word(text); w.Name != "" {
			words = append(words, w)
		}
	}
}

// space is what the kernel's isspace takes for white space, a no-break space
// aside, which is a part of characters in UTF-8.
const space = " \t\n\v\f\r"

func nextWord(text string) (word, rest string) {
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

func word(text string) Word {
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		text = strings.TrimSuffix(inner, `"`)
	}
	name, value, _ := strings.Cut(text, "=")
	if inner, ok := strings.CutPrefix(value, `"`); ok {
		value = strings.TrimSuffix(inner, `"`)
	}
	return Word{name, value}
}

// prefix begins the words that are for init. A dot keeps the kernel from handing
// them on as arguments or variables (init/main.c, unknown_bootoption).
const prefix = "init."

const known = "init.command, init.env, init.module, init.on_exit, init.on_failure, init.shell"

// Override changes s as words say:
//
//	init.command="/bin/app -v 'two words'"  the command; empty for none
//	init.env=NAME=VALUE                     one more variable
//	init.module="NAME PARAMETERS"           one more module
//	init.on_exit=ACTION
//	init.on_failure=ACTION
//	init.shell="/bin/sh -l"
//
// Single quotes keep blanks together. With an error s is as it was.
func (s *Settings) Override(words []Word) error {
	changed := *s
	changed.Env = make(map[string]string, len(s.Env))
	for name, value := range s.Env {
		changed.Env[name] = value
	}
	changed.Modules = append([]string(nil), s.Modules...)
	for _, w := range words {
		// To the kernel - and _ are the same in a parameter's name.
		name := strings.ReplaceAll(w.Name, "-", "_")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		var err error
		switch name {
		case "init.command":
			changed.Command, err = fields(w.Value)
		case "init.env":
			variable, value, ok := strings.Cut(w.Value, "=")
			if !ok {
				err = fmt.Errorf("%q has no =: write init.env=NAME=VALUE", w.Value)
			}
			changed.Env[variable] = value
		case "init.module":
			changed.Modules = append(changed.Modules, w.Value)
		case "init.on_exit":
			changed.OnExit = Action(w.Value)
		case "init.on_failure":
			changed.OnFailure = Action(w.Value)
		case "init.shell":
			if changed.Shell, err = fields(w.Value); err == nil && len(changed.Shell) == 0 {
				err = fmt.Errorf("it is empty: write a program's path")
			}
		default:
			err = fmt.Errorf("it is not known: there are %s", known)
		}
		if err != nil {
			return fmt.Errorf("kernel command line: %s: %v", w.Name, err)
		}
	}
	if err := changed.check("kernel command line: init"); err != nil {
		return err
	}
	*s = changed
	return nil
}

// fields splits text at white space that is not between single quotes.
func fields(text string) ([]string, error) {
	var all []string
	var field strings.Builder
	begun, quoted := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\'':
			quoted, begun = !quoted, true
		case !quoted && strings.IndexByte(space, c) >= 0:
			if begun {
				all = append(all, field.String())
				field.Reset()
				begun = false
			}
		default:
			begun = true
			field.WriteByte(c)
		}
	}
	if quoted {
		return nil, fmt.Errorf("%q has a ' without its second", text)
	}
	if begun {
		all = append(all, field.String())
	}
	return all, nil
}
