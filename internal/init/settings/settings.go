// Package settings reads what init is to do: from a file of the image, and from the
// kernel's command line, which overrides the file.
package settings

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// File has the image's own settings.
const File = "/etc/init.conf"

// Settings say what init does. The zero value runs nothing, and powers off.
type Settings struct {
	// Command is a program, by its absolute path in the image, and its arguments.
	// If it is empty, init switches to the root file system of the command line.
	Command []string

	// Modules are loaded first, in this order. Each is a file's absolute path, or
	// the name of a module below /lib/modules/RELEASE. The module's parameters
	// follow after a blank.
	Modules []string

	Env       map[string]string // added to the environment that the kernel gives to init
	OnExit    Action            // happens when the command has ended
	OnFailure Action            // happens if there is nothing to run, or it cannot be run
	Shell     []string          // the program that the action shell runs, and its arguments
}

// An Action is the last thing that init does.
type Action string

// The actions.
const (
	PowerOff Action = "poweroff"
	Reboot   Action = "reboot"
	Shell    Action = "shell"
	Halt     Action = "halt"
)

// Actions returns the actions.
func Actions() []Action { return []Action{PowerOff, Reboot, Shell, Halt} }

// Default returns the settings of an image without a file, and without parameters
// on the command line.
func Default() Settings {
	return Settings{OnExit: PowerOff, OnFailure: PowerOff, Shell: []string{"/bin/sh"}}
}

// Environ adds s.Env to base, a list like that of os.Environ, and replaces variables
// of the same names.
func (s *Settings) Environ(base []string) []string {
	env := slices.DeleteFunc(slices.Clone(base), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		_, replaced := s.Env[name]
		return replaced
	})
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, name+"="+s.Env[name])
	}
	return env
}

// set changes one setting. In a file and on the command line, the names and the
// values are the same.
func (s *Settings) set(name string, values []string) error {
	switch name {
	case "command":
		s.Command = values
		return nil
	case "shell":
		if len(values) == 0 {
			return fmt.Errorf("want a program and its arguments")
		}
		s.Shell = values
		return nil
	case "env":
		if len(values) != 2 {
			return fmt.Errorf("%d values: want a name and a value", len(values))
		}
		s.Env[values[0]] = values[1]
		return nil
	}
	if len(values) != 1 {
		return fmt.Errorf("%d values: want one", len(values))
	}
	switch name {
	case "module":
		s.Modules = append(s.Modules, values[0])
	case "on_exit":
		s.OnExit = Action(values[0])
	case "on_failure":
		s.OnFailure = Action(values[0])
	default:
		return fmt.Errorf("unknown setting: want command, env, module, on_exit, on_failure or shell")
	}
	return nil
}

// check returns an error for settings that cannot be used.
func (s *Settings) check() error {
	for _, a := range []struct {
		name  string
		value Action
	}{{"on_exit", s.OnExit}, {"on_failure", s.OnFailure}} {
		if !slices.Contains(Actions(), a.value) {
			return fmt.Errorf("%s: unknown action %q: want poweroff, reboot, shell or halt", a.name, a.value)
		}
	}
	for _, c := range []struct {
		name string
		argv []string
	}{{"command", s.Command}, {"shell", s.Shell}} {
		if len(c.argv) > 0 && !path.IsAbs(c.argv[0]) {
			return fmt.Errorf("%s: %q is not an absolute path: write the program's path in the image, such as \"/bin/app\"", c.name, c.argv[0])
		}
		for _, arg := range c.argv {
			if strings.Contains(arg, "\x00") {
				return fmt.Errorf("%s: argument %q contains a NUL byte", c.name, arg)
			}
		}
	}
	for name, value := range s.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return fmt.Errorf("env: %q=%q is not a variable: the name must not be empty or contain =, and neither may contain a NUL byte", name, value)
		}
	}
	for _, m := range s.Modules {
		if strings.TrimSpace(m) == "" || strings.Contains(m, "\x00") {
			return fmt.Errorf("module: %q is neither a path nor a name", m)
		}
	}
	return nil
}
