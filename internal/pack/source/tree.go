package source

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// fileTree gathers what the records of one archive make: a later record of a name
// counts instead of the earlier one, and what would be lost by it is an error.
type fileTree struct {
	// nodes are in the order of the archive, each where the last of its names was
	// given: the directories of all of them are before it. nil stands for what was
	// replaced or has moved.
	nodes []*node
	// named has what each path leads to; children counts the paths in each
	// directory, be it there or not.
	named    map[string]*node
	children map[string]int
}

// node is a file of a tree.
type node struct {
	*list.Entry
	// names has all paths that it was given, those too that lead elsewhere by now;
	// live counts the ones that still lead here.
	names []string
	live  int
	// at is the node's index in the tree's nodes.
	at int
}

func newFileTree() *fileTree {
	return &fileTree{named: map[string]*node{}, children: map[string]int{}}
}

// put gives a path, which must be free, to an entry.
func (t *fileTree) put(name string, e *list.Entry) {
	n := &node{Entry: e, at: len(t.nodes)}
	t.nodes = append(t.nodes, n)
	t.give(name, n)
}

// link gives a path, which must be free, to a node that has others.
func (t *fileTree) link(name string, n *node) {
	t.nodes[n.at] = nil
	n.at = len(t.nodes)
	t.nodes = append(t.nodes, n)
	t.give(name, n)
}

func (t *fileTree) give(name string, n *node) {
	n.names = append(n.names, name)
	n.live++
	t.named[name] = n
	t.children[path.Dir(name)]++
}

// errNotEmpty is why a directory cannot be replaced.
var errNotEmpty = errors.New("it cannot replace the directory of that name, which is not empty")

// free takes a path from what it leads to, if anything.
func (t *fileTree) free(name string) error {
	n := t.named[name]
	if n == nil {
		return nil
	}
	if n.Kind == list.Dir && t.children[name] > 0 {
		return errNotEmpty
	}
	delete(t.named, name)
	t.children[path.Dir(name)]--
	if n.live--; n.live == 0 {
		t.nodes[n.at] = nil
	}
	return nil
}

// entries returns what is left, with names as a list has them.
func (t *fileTree) entries() []*list.Entry {
	entries := make([]*list.Entry, 0, len(t.named))
	for _, n := range t.nodes {
		if n == nil {
			continue
		}
		n.Name, n.Links = "", nil
		first := true
		for _, name := range n.names {
			if t.named[name] != n {
				continue
			}
			delete(t.named, name) // given, taken and given again
			if first {
				n.Name, first = name[1:], false
			} else {
				n.Links = append(n.Links, name[1:])
			}
		}
		entries = append(entries, n.Entry)
	}
	return entries
}

// memberPath returns the absolute path that a name in an archive means.
func memberPath(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`a name with ".." in it may lead anywhere: make the archive without`)
		}
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", errors.New("a name with a NUL in it")
	}
	return list.CleanPath(name), nil
}

// The kernel's dev_t has 12 bits of major and 20 of minor number.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// checkMember refuses an entry of an archive that the kernel would not make, or
// would make another one of.
func checkMember(e *list.Entry) error {
	switch {
	case e.Kind == list.Symlink && e.Target == "":
		return errors.New("a symbolic link that leads nowhere")
	case e.Kind == list.Symlink && len(e.Target) > list.MaxPath:
		return fmt.Errorf("a symbolic link's target of %d bytes: the kernel takes %d at most", len(e.Target), list.MaxPath)
	case e.Kind == list.Symlink && strings.IndexByte(e.Target, 0) >= 0:
		return errors.New("a symbolic link's target with a NUL in it")
	case e.Kind == list.Node && (e.Major > maxMajor || e.Minor > maxMinor):
		return fmt.Errorf("the device %d, %d: the kernel's numbers go up to %d, %d", e.Major, e.Minor, maxMajor, maxMinor)
	}
	return e.CheckNames()
}
