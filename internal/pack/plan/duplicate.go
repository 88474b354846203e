package plan

import (
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// twice decides what happens where two entries give one path, whatever they come from. It
// returns nil if they merge: the first one stays, and the later one adds nothing. Entries
// merge that are equal in all that an image keeps of them. Anything else is an error that
// names both.
func twice(e *list.Entry, path string, first *list.Entry) error {
	before, now := difference(first, e)
	if before == now {
		return nil
	}
	return errorf(e, "%s is given twice: %s here, %s first by %s; %s", printable.Text(path), now, before, first.Pos, cure(first, e))
}

// difference returns the first property in which two entries of one path differ, as each
// of them has it. The texts are the same if the entries are equal.
func difference(first, e *list.Entry) (before, now string) {
	for _, property := range []func(*list.Entry) string{
		func(e *list.Entry) string { return "a " + kind.TypeOf(e.Mode()).Name },
		func(e *list.Entry) string {
			switch e.Kind {
			case list.Symlink:
				return "a link to " + printable.Text(e.Target)
			case list.Node:
				return fmt.Sprintf("the device %d, %d", e.Major, e.Minor)
			}
			return ""
		},
		func(e *list.Entry) string {
			if e.Kind == list.Symlink {
				return "" // the kernel has no modes of links
			}
			return fmt.Sprintf("mode %04o", e.Perm)
		},
		func(e *list.Entry) string { return fmt.Sprintf("owner %d:%d", e.UID, e.GID) },
		func(e *list.Entry) string {
			if e.MTime == nil {
				return "the mtime of the image"
			}
			return fmt.Sprintf("mtime %d", *e.MTime)
		},
	} {
		if before, now = property(first), property(e); before != now {
			return before, now
		}
	}
	if e.Kind == list.File {
		return "a file", "another file"
	}
	return "", ""
}

// cure says how to decide between two entries. The words are those of directives, which
// the settings of build rules share.
func cure(first, e *list.Entry) string {
	switch {
	case e.Kind == list.Symlink && first.Kind == list.Dir:
		return "a directory merges with a link that is given before it: change the order"
	case e.Kind == list.Dir && first.Kind == list.Symlink && e.Pos.Origin == "":
		return "--parents takes it for the directory that the link leads to"
	case e.Pos.Origin == "":
		return "--allow-duplicates lets the last one win"
	case e.Kind == list.Dir && first.Kind == list.Dir:
		return `set the same with "metadata", or let this one win with "replaces"`
	}
	return `let this one win with "replaces"`
}
