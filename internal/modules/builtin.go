package modules

import (
	"fmt"
	"strings"
)

// parseBuiltins reads modules.builtin and modules.builtin.modinfo (Documentation/kbuild/kbuild.rst
// of the kernel).
func parseBuiltins(files KernelFiles) ([]*Module, error) {
	var builtins []*Module
	byName := map[string]*Module{}
	add := func(name, path string) *Module {
		m := byName[name]
		if m == nil {
			m = &Module{Name: name, Path: path, Builtin: true}
			byName[name] = m
			builtins = append(builtins, m)
		}
		return m
	}
	names, err := builtinNames(files.Builtin)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(files.Builtin), "\n")
	for i, name := range names {
		add(name, lines[i])
	}
	fields, err := builtinFields(files.BuiltinInfo)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		m := add(f.module, "")
		m.Info = append(m.Info, f.Field)
	}
	return builtins, nil
}

// builtinNames returns the name of the module of each line of modules.builtin. depmod skips a line
// that does not begin with a letter (output_builtin_bin in tools/depmod.c); here it is an error.
func builtinNames(content []byte) ([]string, error) {
	var names []string
	for line := range strings.Lines(string(content)) {
		path, ended := strings.CutSuffix(line, "\n")
		switch {
		case !ended:
			return nil, fmt.Errorf("%s: %w: its last line has no end: it may be truncated", BuiltinFile, ErrTree)
		case len(path) >= maxText || !isLetter(path[:min(1, len(path))]) || !strings.HasSuffix(path, ".ko"):
			return nil, fmt.Errorf("%s: %w: line %d is not the path of a module", BuiltinFile, ErrTree, len(names)+1)
		}
		names = append(names, Name(path))
	}
	return names, nil
}

func isLetter(c string) bool { return c != "" && (c[0]|0x20 >= 'a' && c[0]|0x20 <= 'z') }

// maxText is the length in bytes that depmod allows for a text (PATH_MAX).
const maxText = 4096

// builtinField is one text of modules.builtin.modinfo.
type builtinField struct {
	module string
	Field
}

// builtinFields reads modules.builtin.modinfo. depmod ignores texts that are not MODULE.KEY=VALUE,
// or what follows them; here they are an error.
func builtinFields(content []byte) ([]builtinField, error) {
	var list []builtinField
	if len(content) > 0 && content[len(content)-1] != 0 {
		return nil, fmt.Errorf("%s: %w: its last text has no NUL: it may be truncated", BuiltinInfoFile, ErrTree)
	}
	for i, text := range fields(string(content)) {
		module, field, dot := strings.Cut(text, ".")
		key, value, equals := strings.Cut(field, "=")
		if !dot || !equals || module == "" || len(module) >= maxText || len(key) >= maxText || len(value) >= maxText {
			return nil, fmt.Errorf("%s: %w: text %d is not MODULE.KEY=VALUE", BuiltinInfoFile, ErrTree, i+1)
		}
		list = append(list, builtinField{module, Field{key, value}})
	}
	return list, nil
}
