package source

import (
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/glob"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// excludes leaves out of an archive's entries what globs stand for, and what is
// below a directory that one stands for.
type excludes struct {
	globs []*glob.Glob
	used  []bool
}

func (x *excludes) add(text string) error {
	g, err := glob.Parse(text)
	if err != nil {
		return err
	}
	x.globs = append(x.globs, g)
	x.used = append(x.used, false)
	return nil
}

// keep takes the names that are left out off an entry, and tells whether any is
// left.
func (x *excludes) keep(e *list.Entry) bool {
	names := slices.DeleteFunc(slices.Clone(e.Names()), x.match)
	if len(names) == 0 {
		return false
	}
	e.Name, e.Links = names[0], names[1:]
	return true
}

// match tells whether a name is to be left out.
func (x *excludes) match(name string) bool {
	matched := false
	for i, g := range x.globs {
		for path := list.CleanPath(name); path != "/"; path = path[:max(1, strings.LastIndexByte(path, '/'))] {
			if g.MatchPath(path) {
				x.used[i], matched = true, true
			}
		}
	}
	return matched
}

// unused returns the globs that have matched nothing.
func (x *excludes) unused() []*glob.Glob {
	var unused []*glob.Glob
	for i, used := range x.used {
		if !used {
			unused = append(unused, x.globs[i])
		}
	}
	return unused
}
