package source

import (
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/glob"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// excludes leave out of an archive's entries what globs match, and what is below a
// directory that one matches.
type excludes []*exclude

type exclude struct {
	*list.Directive
	glob *glob.Glob
	used bool
}

func (x *excludes) add(d *list.Directive) error {
	g, err := glob.Parse(d.Args[0])
	if err != nil {
		return d.Errorf("%w", err)
	}
	*x = append(*x, &exclude{Directive: d, glob: g})
	return nil
}

// keep removes the names that are left out from an entry, and reports whether any
// remains.
func (x excludes) keep(e *list.Entry) bool { return e.DeleteNames(x.match) }

// match reports whether a name is to be left out.
func (x excludes) match(name string) bool {
	matched := false
	for _, exclude := range x {
		for path := list.CleanPath(name); path != "/"; path = path[:max(1, strings.LastIndexByte(path, '/'))] {
			if exclude.glob.MatchPath(path) {
				exclude.used, matched = true, true
			}
		}
	}
	return matched
}
