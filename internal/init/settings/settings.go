// Package settings reads what init is to do: from a file of the image, and from
// the kernel's command line, whose words win.
package settings

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// File is where the image's own settings are.
const File = "/etc/init.conf"

// Settings say what init does. The zero value runs nothing, and powers off.
type Settings struct {
	// Command is a program, by its absolute path in the image, and its
	// arguments. Without one the root of the command line is switched to.
	Command []string

	// Env is added to the environment that the kernel gives to init.
	Env map[string]string

	// Modules are loaded in this order before anything else is done: each a
	// file's absolute path, or the name of one below /lib/modules/RELEASE, and
	// behind it, with a blank between, the module's parameters.
	Modules []string

	// OnExit is done when the command has ended.
	OnExit Action

	// OnFailure is done when there is nothing to run, or it cannot be run.
	OnFailure Action

	// Shell is the program that the action shell runs, and its arguments.
	Shell []string
}

// An Action is how init ends.
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

// Default returns what holds where nothing else is said.
func Default() Settings {
	return Settings{OnExit: PowerOff, OnFailure: PowerOff, Shell: []string{"/bin/sh"}}
}

// Environ returns base, which is as os.Environ gives it, with s.Env in place of
// what has the same names there.
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

// check fails on what init could not do. where says who gave the settings.
func (s *Settings) check(where string) error {
	for _, a := range []struct {
		name  string
		value Action
	}{{"on_exit", s.OnExit}, {"on_failure", s.OnFailure}} {
		if !slices.Contains(Actions(), a.value) {
			return fmt.Errorf("%s: %s: %q is not known: want poweroff, reboot, shell or halt", where, a.name, a.value)
		}
	}
	for _, c := range []struct {
		name string
		argv []string
	}{{"command", s.Command}, {"shell", s.Shell}} {
		if len(c.argv) > 0 && !path.IsAbs(c.argv[0]) {
			return fmt.Errorf("%s: %s: %q is no absolute path: write where it is in the image, such as \"/bin/app\"", where, c.name, c.argv[0])
		}
		for _, arg := range c.argv {
			if strings.Contains(arg, "\x00") {
				return fmt.Errorf("%s: %s: %q has a NUL in it, which no argument can have", where, c.name, arg)
			}
		}
	}
	for name, value := range s.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return fmt.Errorf("%s: env: %q=%q is no variable: a name has no = in it, and neither has a NUL", where, name, value)
		}
	}
	for _, m := range s.Modules {
		if strings.TrimSpace(m) == "" || strings.Contains(m, "\x00") {
			return fmt.Errorf("%s: modules: %q is neither a path nor a name", where, m)
		}
	}
	return nil
}
