package lookup

import (
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/aliases"
)

// Aliases are patterns, and the modules that they are of. The zero value has none.
type Aliases struct {
	set   aliases.Set[aliasOf]
	count int
}

// An aliasOf is the module of an alias, and how many aliases were added before it.
type aliasOf struct {
	module string
	number int
}

func readAliases(name string) (*Aliases, error) {
	text, err := readOptional(name)
	if err != nil {
		return nil, err
	}
	a := &Aliases{}
	for line := range strings.Lines(text) {
		a.Parse(line)
	}
	return a, nil
}

// Parse adds a line "alias PATTERN MODULE", of modules.alias or modprobe.d(5), and
// reports whether it is one. Like kmod, it leaves out a pattern with an odd bracket.
func (a *Aliases) Parse(line string) bool {
	words := strings.Fields(line)
	if len(words) < 3 || words[0] != "alias" {
		return false
	}
	last := len(words) - 1
	pattern := strings.Join(words[1:last], " ") // names of sound cards have blanks
	a.set.Add(pattern, aliasOf{Name(words[last]), a.count})
	a.count++
	return true
}

// Match returns the modules of the patterns that match an alias, each once, in the order
// in which the patterns were added.
func (a *Aliases) Match(alias string) []string {
	found := a.set.Match(alias)
	slices.SortFunc(found, func(x, y aliasOf) int { return x.number - y.number })
	var names []string
	for _, f := range found {
		if !slices.Contains(names, f.module) {
			names = append(names, f.module)
		}
	}
	return names
}
