package modules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/glob"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/aliases"
	"github.com/rules-initramfs/rules_initramfs/internal/near"
)

// ErrUnknown means that no module is what was asked for.
var ErrUnknown = errors.New("no such module")

// A lookup finds the modules of a kernel by name, path or alias, as modprobe does.
type lookup struct {
	tree    *Tree
	modules map[string]*Module
	builtin map[string]*Module
	// Patterns of aliases, made for the first alias.
	aliases, builtinAliases *aliases.Set[*Module]
}

func newLookup(tree *Tree) *lookup {
	l := &lookup{tree: tree, modules: map[string]*Module{}, builtin: map[string]*Module{}}
	for _, m := range tree.Modules {
		l.modules[m.Name] = m
	}
	for _, m := range tree.Builtins {
		l.builtin[m.Name] = m
	}
	return l
}

// match returns the modules that have an alias, and those that are built in, each in the order of
// their names.
func (l *lookup) match(alias string) (modules, builtin []*Module) {
	if l.aliases == nil {
		l.aliases, l.builtinAliases = indexAliases(l.tree.Modules), indexAliases(l.tree.Builtins)
	}
	return byName(l.aliases.Match(alias)), byName(l.builtinAliases.Match(alias))
}

// indexAliases returns the aliases of modules, without those that depmod leaves out.
func indexAliases(modules []*Module) *aliases.Set[*Module] {
	set := &aliases.Set[*Module]{}
	for _, m := range modules {
		for _, alias := range m.Info.Aliases() {
			if len(alias) < maxText {
				set.Add(alias, m) // an error is of a pattern that depmod leaves out
			}
		}
	}
	return set
}

// byName returns the modules in the order of their names, each once.
func byName(modules []*Module) []*Module {
	slices.SortFunc(modules, func(a, b *Module) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(modules)
}

// special are the characters of a pattern that do not match themselves.
const special = `*?[\`

// resolve returns what modprobe would load for a name or an alias, in the order in which it looks
// (kmod_module_new_from_lookup in libkmod/libkmod-module.c): a module with the name, all modules
// with the alias, what is built in and has the name, what is built in and has the alias. byName
// reports whether the word is a name.
func (l *lookup) resolve(word string) (modules, builtin []*Module, byName bool) {
	name := strings.ReplaceAll(word, "-", "_")
	if m := l.modules[name]; m != nil {
		return []*Module{m}, nil, true
	}
	modules, builtin = l.match(word)
	if len(modules) > 0 {
		return modules, builtin, false
	}
	if m := l.builtin[name]; m != nil {
		return nil, []*Module{m}, true
	}
	return nil, builtin, false
}

// want returns the modules that a word asks for: a name, an alias, or, if it has a slash and no
// colon, a pattern of paths. exact reports whether the word names one module.
func (l *lookup) want(word string) (modules, builtin []*Module, exact bool, err error) {
	if !isPath(word) {
		modules, builtin, exact = l.resolve(word)
		if len(modules)+len(builtin) == 0 {
			err = fmt.Errorf("%w: %q is neither the name of a module nor an alias that one has%s", ErrUnknown, word, l.advise(word))
		}
		return modules, builtin, exact, err
	}
	g, err := glob.Parse("/" + strings.TrimPrefix(word, "/"))
	if err != nil {
		return nil, nil, false, err
	}
	_, exact = g.Plain()
	matches := func(m *Module) bool {
		return m.Path != "" && (g.Match("/"+m.Path, false) || g.Match("/"+m.orderPath(), false))
	}
	for _, m := range l.tree.Modules {
		if matches(m) {
			modules = append(modules, m)
		}
	}
	for _, m := range l.tree.Builtins {
		if matches(m) {
			builtin = append(builtin, m)
		}
	}
	if len(modules)+len(builtin) == 0 {
		err = fmt.Errorf("%w: %q matches no path, such as kernel/fs/ext4/ext4.ko%s", ErrUnknown, word, l.advisePath(word))
	}
	return modules, builtin, exact, err
}

// isPath reports whether a word is a pattern of paths. Aliases with a slash have a colon, too
// (devname:net/tun).
func isPath(word string) bool { return strings.Contains(word, "/") && !strings.Contains(word, ":") }

// nearNames is how many near names a message has.
const nearNames = 3

// advise returns what to write instead of a word that no module has.
func (l *lookup) advise(word string) string {
	if strings.ContainsAny(word, special) && !strings.Contains(word, ":") {
		return fmt.Sprintf(": a pattern is one of paths: write kernel/**/%s.ko", strings.TrimSuffix(word, ".ko"))
	}
	if base := Name(word); IsModule(word) && (l.modules[base] != nil || l.builtin[base] != nil) {
		return fmt.Sprintf(": write %s", base)
	}
	var candidates []string
	for _, m := range slices.Concat(l.tree.Modules, l.tree.Builtins) {
		candidates = append(candidates, m.Name)
		for _, alias := range m.Info.Aliases() {
			if !strings.ContainsAny(alias, special) {
				candidates = append(candidates, alias)
			}
		}
	}
	return didYouMean(near.Names(word, candidates, nearNames))
}

// adviseName returns what to write instead of a name that no module has.
func (l *lookup) adviseName(word string) string {
	var candidates []string
	for _, m := range slices.Concat(l.tree.Modules, l.tree.Builtins) {
		candidates = append(candidates, m.Name)
	}
	return didYouMean(near.Names(word, candidates, nearNames))
}

// advisePath returns what to write instead of a pattern of paths that matches nothing.
func (l *lookup) advisePath(word string) string {
	word = strings.TrimPrefix(word, "/")
	if dir := strings.TrimSuffix(word, "/") + "/"; slices.ContainsFunc(l.tree.Modules, func(m *Module) bool { return strings.HasPrefix(m.Path, dir) }) {
		return fmt.Sprintf(": it is a directory: write %s**", dir)
	}
	if m := l.modules[Name(word)]; m != nil {
		return fmt.Sprintf(": module %s is %s", m.Name, m.Path)
	}
	if m := l.builtin[Name(word)]; m != nil && m.Path != "" {
		return fmt.Sprintf(": module %s, which is built in, is %s", m.Name, m.Path)
	}
	var candidates []string
	for _, m := range l.tree.Modules {
		candidates = append(candidates, m.orderPath())
	}
	return didYouMean(near.Names(word, candidates, nearNames))
}

func didYouMean(names []string) string {
	if len(names) == 0 {
		return ": check its spelling and the kernel's configuration"
	}
	return ": did you mean " + strings.Join(names, " or ") + "?"
}
