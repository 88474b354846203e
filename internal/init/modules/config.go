package modules

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/lookup"
)

// configDirs have the files of modprobe.d(5), the directories whose files replace others
// of the same name first (default_config_paths of kmod's libkmod/libkmod.c).
var configDirs = []string{"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"}

// A Config says how modules are loaded, in addition to a module directory.
type Config struct {
	parameters map[string][]string
	blocked    map[string]bool
	softdeps   map[string]lookup.Softdeps
	aliases    lookup.Aliases
}

// NewConfig returns a Config without anything in it.
func NewConfig() *Config {
	return &Config{parameters: map[string][]string{}, blocked: map[string]bool{}, softdeps: map[string]lookup.Softdeps{}}
}

// Block keeps a module from being loaded for a device or for the kernel, as blacklist of
// modprobe.d(5) does. It is still loaded by its name, and if another module needs it.
func (c *Config) Block(module string) { c.blocked[lookup.Name(module)] = true }

// AddParameters adds parameters, such as "a=1 b", for a module.
func (c *Config) AddParameters(module, parameters string) {
	name := lookup.Name(module)
	if parameters = strings.TrimSpace(parameters); parameters != "" {
		c.parameters[name] = append(c.parameters[name], parameters)
	}
}

// Parameters returns all parameters of a module. If one is repeated, the last one wins:
// the kernel sets them in this order.
func (c *Config) Parameters(module string) string {
	return strings.Join(c.parameters[lookup.Name(module)], " ")
}

// ReadFiles reads the files of modprobe.d(5) below root: alias, blacklist, options and
// softdep. It does not run the commands of install: what has one is blocked. It returns an
// error for each line that it ignores.
func (c *Config) ReadFiles(root string) []error {
	files := map[string]string{}
	for _, dir := range configDirs {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			continue // most images have none
		}
		for _, entry := range entries {
			name := entry.Name()
			if _, shadowed := files[name]; !shadowed && strings.HasSuffix(name, ".conf") && name[0] != '.' {
				files[name] = filepath.Join(root, dir, name)
			}
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := os.ReadFile(files[name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, c.parse(files[name], string(text))...)
	}
	return errs
}

// parse reads the text of a file of modprobe.d(5).
func (c *Config) parse(file, text string) []error {
	var errs []error
	number := 0
	for text != "" {
		var line string
		var lines int
		line, text, lines = cutLine(text)
		number += lines
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := c.parseLine(line); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w: the line is ignored", file, number, err))
		}
	}
	return errs
}

// cutLine returns the first line of a text and the rest, and how many lines of the file the line
// has. As in kmod, a backslash continues a line at the next one, without a blank between them,
// and disappears before all other characters (getline_wrapped of kmod's shared/util.c).
func cutLine(text string) (line, rest string, lines int) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' {
			if i++; i == len(text) {
				break
			}
			if c = text[i]; c == '\n' {
				lines++
				continue
			}
		} else if c == '\n' {
			return out.String(), text[i+1:], lines + 1
		}
		out.WriteByte(c)
	}
	return out.String(), "", lines + 1
}

var errDirective = errors.New("want alias, blacklist, options or softdep, and what belongs to it")

func (c *Config) parseLine(line string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return errDirective
	}
	name := words[1]
	switch words[0] {
	case "alias":
		if !c.aliases.Parse(strings.Join(words, " ")) {
			return errDirective
		}
	case "blacklist", "install":
		c.Block(name)
	case "options":
		_, rest, _ := strings.Cut(line, name)
		c.AddParameters(name, rest)
	case "softdep":
		name, deps, ok := lookup.ParseSoftdep(line)
		if !ok {
			return errDirective
		}
		c.softdeps[name] = c.softdeps[name].Add(deps)
	case "remove", "weakdep": // nothing is unloaded, and modprobe does not load weak dependencies
	default:
		return errDirective
	}
	return nil
}

// Override reads the kernel's command line as modprobe does
// (kmod_config_parse_kcmdline of kmod's libkmod/libkmod-config.c): MODULE.PARAMETER=VALUE
// and modprobe.blacklist=NAME,NAME. What is built into the kernel gets its parameters from
// the kernel. It also blocks what the kernel itself refuses, module_blacklist=
// (kernel/module/main.c).
func (c *Config) Override(params []settings.Param) {
	for _, p := range params {
		module, parameter, ok := strings.Cut(p.Name, ".")
		switch {
		case p.Name == "modprobe.blacklist" || lookup.Name(p.Name) == "module_blacklist":
			for name := range strings.SplitSeq(p.Value, ",") {
				c.Block(name)
			}
		case ok && module != "" && parameter != "" && !strings.Contains(parameter, ".") && module != "init":
			c.AddParameters(module, assignment(parameter, p.Value))
		}
	}
}

// assignment is a parameter as finit_module(2) reads it.
func assignment(parameter, value string) string {
	switch {
	case value == "":
		return parameter
	case strings.ContainsAny(value, " \t\n\v\f\r"):
		return parameter + `="` + value + `"`
	}
	return parameter + "=" + value
}
