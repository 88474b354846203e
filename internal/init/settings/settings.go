// Package settings reads what init is to do: from a file of the image, and from the
// kernel's command line, which overrides the file.
package settings

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/init/tpm"
)

// File has the image's own settings.
const File = "/etc/init.conf"

// Settings say what init does. The zero value runs nothing, and powers off.
type Settings struct {
	// Command is a program, by its absolute path in the image, and its arguments.
	// If it is empty, init switches to the root file system of the command line.
	Command []string

	// Modules are loaded first, with what they need. Each is a file's absolute path, or
	// the name or an alias of a module below /lib/modules/RELEASE.
	Modules []string

	// ModuleParameters are given to modules when they are loaded, whatever loads them.
	ModuleParameters []ModuleParameters

	// Autoload loads the modules that serve the machine's devices, and those that the
	// kernel asks for, except AutoloadBlocklist.
	Autoload          bool
	AutoloadBlocklist []string

	// PrintPCRs are the numbers of the TPM's PCRs that init prints before the command runs, as
	// "pcr N: DIGEST".
	PrintPCRs []int

	Env       map[string]string // added to the environment that the kernel gives to init
	OnExit    Action            // happens when the command has ended
	OnFailure Action            // happens if there is nothing to run, or it cannot be run
	Shell     []string          // the program that the action shell runs, and its arguments
}

// ModuleParameters are parameters of a module, such as "max_loop=8".
type ModuleParameters struct {
	Module, Parameters string
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
	case "print_pcrs":
		s.PrintPCRs = nil
		for _, value := range values {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n >= tpm.Count {
				return fmt.Errorf("%q: want the number of a PCR, from 0 to %d", value, tpm.Count-1)
			}
			s.PrintPCRs = append(s.PrintPCRs, n)
		}
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
	case "module_parameters":
		if len(values) != 2 {
			return fmt.Errorf("%d values: want a module and its parameters", len(values))
		}
		s.ModuleParameters = append(s.ModuleParameters, ModuleParameters{values[0], values[1]})
		return nil
	}
	if len(values) != 1 {
		return fmt.Errorf("%d values: want one", len(values))
	}
	switch name {
	case "module":
		s.Modules = append(s.Modules, values[0])
	case "autoload":
		on, err := strconv.ParseBool(values[0])
		if err != nil {
			return fmt.Errorf("%q: want true or false", values[0])
		}
		s.Autoload = on
	case "autoload_blocklist":
		s.AutoloadBlocklist = append(s.AutoloadBlocklist, values[0])
	case "on_exit":
		s.OnExit = Action(values[0])
	case "on_failure":
		s.OnFailure = Action(values[0])
	default:
		return fmt.Errorf("unknown setting: want one of autoload, autoload_blocklist, command, env, module, module_parameters, on_exit, on_failure, print_pcrs, shell")
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
		if !path.IsAbs(m) && !isModuleName(m) || strings.Contains(m, "\x00") {
			return fmt.Errorf("module: %q is neither a name nor an absolute path: parameters are a setting of their own, module_parameters", m)
		}
	}
	for _, m := range s.AutoloadBlocklist {
		if !isModuleName(m) {
			return fmt.Errorf("autoload_blocklist: %q is not the name of a module", m)
		}
	}
	for _, m := range s.ModuleParameters {
		if !isModuleName(m.Module) || strings.Contains(m.Parameters, "\x00") {
			return fmt.Errorf("module_parameters: %q=%q are not a module's name and parameters such as \"a=1 b=2\"", m.Module, m.Parameters)
		}
	}
	return nil
}

// isModuleName reports whether a text can be the name or an alias of a module.
func isModuleName(text string) bool {
	return text != "" && !strings.ContainsAny(text, "/\x00"+space)
}
