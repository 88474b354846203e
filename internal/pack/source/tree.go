package source

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// tree is what the records of an archive make, with the kernel's model saying what a
// record does to those before it. What the archive is unpacked over is not known.
type tree struct {
	model *kernel.Model
	// nodes are in the order of the archive, each at the record of its last name:
	// the directories of all its names are before it. nil is one that moved.
	nodes []*node
	// files are the nodes of regular files.
	files map[*kernel.File]*node
	// bodies are the numbers of the contents of entries.
	bodies map[*list.Entry]int
}

// node is an entry of a tree. A regular file has one; of other files each name has one,
// because lists link regular files only: to whoever opens them, two of a kind are the
// same.
type node struct {
	file *kernel.File
	// names are the paths that records gave it. They may lead to another file by now.
	names   []string
	content *io.SectionReader
	// perm is the mode that the record has, which is not a symbolic link's.
	perm uint32
	at   int
}

func newTree() *tree {
	return &tree{model: kernel.NewOverlay(), files: map[*kernel.File]*node{}, bodies: map[*list.Entry]int{}}
}

// note takes what became of a record into the tree.
func (t *tree) note(made kernel.Result, perm uint32) {
	n := t.files[made.File]
	switch {
	case n != nil && made.Linked != "":
		t.nodes[n.at] = nil
	case made.Created, made.Linked != "":
		n = &node{file: made.File, perm: perm}
		if made.File.Type() == cpio.TypeRegular {
			t.files[made.File] = n
		}
	default:
		return
	}
	n.names = append(n.names, made.Path)
	n.at = len(t.nodes)
	t.nodes = append(t.nodes, n)
}

// entries returns what the archive has at its end. The tree is of no use afterwards.
func (t *tree) entries() []*list.Entry {
	entries := make([]*list.Entry, 0, len(t.nodes))
	for _, n := range t.nodes {
		if n == nil {
			continue
		}
		names := make([]string, 0, 1)
		for _, at := range n.names {
			if t.model.Files[at] == n.file {
				// No program but the kernel takes an empty name for the root directory.
				names = append(names, cmp.Or(at[1:], "."))
				delete(t.model.Files, at) // a name may have been given, taken and given again
			}
		}
		if len(names) > 0 {
			e := n.entry(names)
			if e.Kind == list.File {
				t.bodies[e] = n.file.Body
			}
			entries = append(entries, e)
		}
	}
	return entries
}

func (n *node) entry(names []string) *list.Entry {
	f := n.file
	e := &list.Entry{
		Kind: kind.TypeOf(f.Mode).Kind, Name: names[0], Links: names[1:], Perm: f.Mode & 0o7777, UID: f.UID, GID: f.GID,
		Content: n.content, Target: f.Target, Block: f.Type() == cpio.TypeBlock, Major: f.RMajor, Minor: f.RMinor,
	}
	if e.Kind == list.Symlink {
		e.Perm = n.perm
	}
	return e
}

// memberPath returns the absolute path that a name in an archive means.
func memberPath(name string) (string, error) {
	if slices.Contains(strings.Split(name, "/"), "..") {
		return "", errors.New(`a name with ".." in it may lead anywhere: make the archive without`)
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", errors.New("a name with a NUL in it")
	}
	return list.CleanPath(name), nil
}

// checkMember refuses an entry of an archive that the kernel would not make, or would
// make differently.
func checkMember(e *list.Entry) error {
	switch {
	case e.Kind == list.Symlink && e.Target == "":
		return errors.New("a symbolic link that leads nowhere")
	case e.Kind == list.Symlink && len(e.Target) > list.MaxPath:
		return fmt.Errorf("a symbolic link's target of %d bytes: the kernel takes %d at most", len(e.Target), list.MaxPath)
	case e.Kind == list.Symlink && strings.IndexByte(e.Target, 0) >= 0:
		return errors.New("a symbolic link's target with a NUL in it")
	case e.Kind == list.Node && (e.Major > list.MaxMajor || e.Minor > list.MaxMinor):
		return fmt.Errorf("the device %d, %d: the kernel's numbers go up to %d, %d", e.Major, e.Minor, list.MaxMajor, list.MaxMinor)
	}
	return e.CheckNames()
}

// dropped is the error of a record that cannot be unpacked, or nil.
func dropped(made kernel.Result) error {
	if made.Drop == 0 {
		return nil
	}
	return fmt.Errorf("it cannot be unpacked: %s", made.Detail)
}
