package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// twice decides what happens where two entries give one path, whatever they come from. It
// returns nil if they merge: the first one stays, and the later one adds nothing. Entries
// merge that are equal in all that an image keeps of them. Anything else is an error that
// names both.
func twice(e *list.Entry, path string, first *list.Entry) error {
	if first == e {
		return errorf(e, "%s is given twice: two names of the file lead there", printable.Text(path))
	}
	before, now := difference(first, e)
	if before == now {
		return nil
	}
	return errorf(e, "%s is given twice: %s here, but %s in %s; %s", printable.Text(path), now, before, first.Pos, cure(first, e))
}

// properties are what two entries of one path may differ in, as a message has them.
var properties = []func(*list.Entry) string{
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
			return "no mtime of its own"
		}
		return fmt.Sprintf("mtime %d", *e.MTime)
	},
	func(e *list.Entry) string {
		if len(e.Links) == 0 {
			return "a file"
		}
		names := e.Names()
		for i := range names {
			names[i] = printable.Text(list.CleanPath(names[i]))
		}
		slices.Sort(names)
		return "a file with the names " + strings.Join(names, ", ")
	},
}

// difference returns the first property in which two entries of one path differ, as each
// of them has it. The texts are the same if the entries are equal.
func difference(first, e *list.Entry) (before, now string) {
	for _, property := range properties {
		if before, now = property(first), property(e); before != now {
			return before, now
		}
	}
	if e.Kind == list.File && (e.Digest == "" || first.Digest != e.Digest) {
		return "a file with one content", "a file with other content"
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
		return "with --parents, and --earlier for a layer, it is the directory that the link leads to"
	case e.Pos.Origin == "" && isModuleIndex(e.Name):
		return "--module-catalog merges the indexes of several layers of kernel modules"
	case e.Pos.Origin == "":
		return "--allow-duplicates lets the last one win"
	case e.Kind == list.Dir && first.Kind == list.Dir:
		return `set the same with "metadata", or let this one win with "replaces"`
	}
	return `let this one win with "replaces"`
}

// setDigest sets the digest of a file, so that it can be compared. A file that cannot be
// read has none, and equals no other.
func setDigest(e *list.Entry) {
	e.Digest = ""
	if e.Kind != list.File {
		return
	}
	content, err := source.OpenContent(e)
	if err != nil {
		return
	}
	defer content.Close()
	h := sha256.New()
	if _, err := io.Copy(h, content.Reader); err == nil {
		e.Digest = hex.EncodeToString(h.Sum(nil))
	}
}
