package config

import (
	"os"
	"strings"
)

// Modules is the option for loadable modules.
const Modules = "CONFIG_MODULES"

// Values are the values of a .config by symbol. A symbol that is absent is n.
type Values map[string]string

// ReadValues reads the .config with this name.
func ReadValues(name string) (Values, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return ParseValues(name, string(text))
}

// Get returns the value of a symbol.
func (v Values) Get(symbol string) string {
	if value, ok := v[symbol]; ok {
		return value
	}
	return "n"
}

// On reports whether an option is built in.
func (v Values) On(symbol string) bool { return v.Get(symbol) == "y" }

// Merge changes values in the .config with this name. If a symbol is changed more than once,
// the last value wins.
func Merge(name string, changes []Assignment) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	last := map[string]Assignment{}
	for _, a := range changes {
		last[a.Symbol] = a
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		if own, err := Parse(name, line); err == nil && len(own) == 1 {
			if _, changed := last[own[0].Symbol]; changed {
				continue
			}
		}
		out.WriteString(line)
	}
	for _, a := range changes {
		if last[a.Symbol] == a {
			out.WriteString(a.String() + "\n")
		}
	}
	return os.WriteFile(name, []byte(out.String()), 0o644)
}
