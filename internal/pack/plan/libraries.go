package plan

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// takeLibraries adds to the entries what the programs of an origin need of the sources of its
// libraries: package elf says what that is. A source's file keeps its path, mode and owner, and so do
// the symbolic links by which a loader comes to it, and the directories above.
func takeLibraries(entries []*list.Entry, l *source.Libraries) ([]*list.Entry, error) {
	c := &closure{
		Libraries: l, nodes: map[string]*node{}, features: map[string]bool{},
		missing: map[missingLibrary]bool{}, compared: map[string]bool{},
	}
	defer c.reader.Close()
	isOwn := func(e *list.Entry) bool { return l.All || e.Pos.Origin == l.Pos.Origin }
	var own []*list.Entry
	for _, e := range entries {
		if isOwn(e) {
			own = append(own, e)
		}
	}
	var spare []spareEntry
	for _, s := range l.Sources {
		all, err := Apply(s.Entries, s.Changes, nil, false)
		if err != nil {
			c.errors.Add(l.Errorf("%s: %w", printable.Text(s.Label), err))
		}
		for _, e := range all {
			spare = append(spare, spareEntry{e, s.Label})
		}
	}
	if err := c.errors.Err(); err != nil {
		return entries, err
	}
	if err := c.build(own, spare); err != nil {
		return entries, l.Errorf("%w", err)
	}
	c.resolve()
	if err := c.errors.Err(); err != nil {
		return entries, err
	}
	links, others := c.taken(spare)

	// A link comes before what is below its name, and what was needed after what needs it.
	first, last := slices.IndexFunc(entries, isOwn), len(entries)
	for last > 0 && !isOwn(entries[last-1]) {
		last--
	}
	if first < 0 {
		return entries, c.errors.Err()
	}
	return slices.Concat(entries[:first], links, entries[first:last], others, entries[last:]), c.errors.Err()
}

// spareEntry is an entry of a source.
type spareEntry struct {
	*list.Entry
	label string
}

// closure is a file system of the entries of an origin, over which those of the sources lie. It is an
// elf.System. An entry of the origin takes the place of one of a source, but a source's symbolic
// link to a directory takes the place of a directory: what is below its name goes where it leads, as
// in the image.
type closure struct {
	*source.Libraries
	reader elf.Reader
	// nodes are by path, absolute and without symbolic links, and paths are their keys in order.
	nodes map[string]*node
	paths []string
	// made are the links that no source has.
	made []*list.Entry
	// features are those of all notes of what is in the image.
	features map[string]bool
	// missing are the shared objects that were reported: once for all that need them.
	missing map[missingLibrary]bool
	// compared has the paths of shared objects that were compared with those that are taken.
	compared map[string]bool
	errors   list.Errors
}

type missingLibrary struct {
	name string
	arch elf.Arch
}

// node is what has a path.
type node struct {
	at string
	// entry is nil for a directory that no entry names, and name the one of its names that has the path.
	entry *list.Entry
	name  string
	// label is that of the source; empty for the origin's own.
	label string
	// file is what a loader reads of a regular file.
	file *elf.File
	// isLoader is set if a program needs it as its dynamic loader.
	isLoader bool
	// others are entries of sources with the same path.
	others []*node
	// reason says why the image has it; it is empty for what it does not take.
	reason string
}

func (n *node) isDir() bool   { return n.entry == nil || n.entry.Kind == list.Dir }
func (n *node) isLink() bool  { return n.entry != nil && n.entry.Kind == list.Symlink }
func (n *node) isSpare() bool { return n.label != "" }

// maxLinks is how many symbolic links the kernel follows on one path (MAXSYMLINKS of
// include/linux/namei.h).
const maxLinks = 40

// walk follows a path to its end. It returns the node there, or nil, and its path without symbolic
// links, and calls visit with each link on the way. It stays within the file system.
func (c *closure) walk(name string, visit func(*node)) (*node, string) {
	at, rest := "/", name
	for hops := 0; rest != ""; {
		var component string
		component, rest, _ = strings.Cut(rest, "/")
		switch component {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, component)
		n := c.nodes[next]
		if n == nil || !n.isLink() {
			at = next
			continue
		}
		if visit != nil {
			visit(n)
		}
		target := n.entry.Target
		if hops++; hops > maxLinks || len(target)+len(rest) > list.MaxPath {
			return nil, next
		}
		if strings.HasPrefix(target, "/") {
			at = "/"
		}
		rest = target + "/" + rest
	}
	if at == "/" && c.nodes[at] == nil {
		c.nodes[at] = &node{at: at}
	}
	return c.nodes[at], at
}

// place returns the path of a name: its directory without symbolic links.
func (c *closure) place(name string) string {
	name = list.CleanPath(name)
	_, dir := c.walk(path.Dir(name), nil)
	return path.Join(dir, path.Base(name))
}

// build puts the entries into the file system: symbolic links first, the shortest paths before those
// that may lead through them.
func (c *closure) build(own []*list.Entry, spare []spareEntry) error {
	type added struct {
		spareEntry
		name string
	}
	var links, others []added
	add := func(e spareEntry) {
		for _, name := range e.Names() {
			if e.Kind == list.Symlink {
				links = append(links, added{e, name})
			} else {
				others = append(others, added{e, name})
			}
		}
	}
	for _, e := range own {
		add(spareEntry{e, ""})
	}
	files := map[string]bool{} // of the origin
	for _, a := range others {
		files[list.CleanPath(a.name)] = a.Kind != list.Dir
	}
	for _, e := range spare {
		add(e)
	}
	depth := func(a added) int { return strings.Count(list.CleanPath(a.name), "/") }
	slices.SortStableFunc(links, func(a, b added) int { return cmp.Compare(depth(a), depth(b)) })
	for _, a := range links {
		if at := c.place(a.name); a.label == "" || !files[at] {
			c.put(&node{at: at, entry: a.Entry, name: a.name, label: a.label})
		}
	}
	read := map[*list.Entry]*elf.File{}
	if err := c.addRootLinks(own, spare, read); err != nil {
		return err
	}
	for _, a := range others {
		n := &node{at: c.place(a.name), entry: a.Entry, name: a.name, label: a.label}
		if a.Kind == list.Dir {
			if _, at := c.walk(n.at, nil); at != n.at {
				continue // it is the directory that a link leads to
			}
		}
		if a.Kind == list.File {
			var err error
			if n.file, err = c.read(a.spareEntry, n.at, read); err != nil {
				return err
			}
		}
		c.put(n)
	}
	return nil
}

// put gives a node its place, unless one has it that takes precedence.
func (c *closure) put(n *node) {
	for dir := path.Dir(n.at); c.nodes[dir] == nil; dir = path.Dir(dir) {
		c.nodes[dir] = &node{at: dir}
		c.paths = append(c.paths, dir)
	}
	switch old := c.nodes[n.at]; {
	case old == nil:
		c.nodes[n.at] = n
		c.paths = append(c.paths, n.at)
	case old.entry == nil, old.isSpare() && !n.isSpare():
		if old.entry != nil || n.isDir() {
			c.nodes[n.at] = n
		}
	case old.isSpare():
		old.others = append(old.others, n)
	}
}

// read reads what a loader reads of an entry. Configuration counts only if it is in the image in any
// case.
func (c *closure) read(e spareEntry, at string, known map[*list.Entry]*elf.File) (*elf.File, error) {
	if file, ok := known[e.Entry]; ok {
		return file, nil
	}
	known[e.Entry] = nil
	content, err := source.OpenContent(e.Entry)
	if err != nil {
		return nil, nil // packing reports it, if it is packed
	}
	defer content.Close()
	reader, ok := content.Reader.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("%s: it cannot be read in any order", printable.Text(at))
	}
	file, err := c.reader.ReadAt(at, content.Size, reader)
	if err != nil || file == nil {
		return nil, err
	}
	file.IsExecutable, file.IsSpare = e.Perm&0o111 != 0, e.label != ""
	if file.IsSpare {
		file.Configuration = ""
	}
	known[e.Entry] = file
	return file, nil
}

// addRootLinks adds the links of a merged /usr that programs need to come to their loaders and that no
// source has: Debian's libc6 has /usr/lib64/ld-linux-x86-64.so.2, its programs name
// /lib64/ld-linux-x86-64.so.2, and the link /lib64 is of another package.
func (c *closure) addRootLinks(own []*list.Entry, spare []spareEntry, read map[*list.Entry]*elf.File) error {
	names := map[string]string{}
	for _, e := range spare {
		for _, name := range e.Names() {
			names[list.CleanPath(name)] = e.label
		}
	}
	for _, e := range own {
		if e.Kind != list.File {
			continue
		}
		file, err := c.read(spareEntry{e, ""}, list.CleanPath(e.Name), read)
		if err != nil {
			return err
		}
		if file == nil || file.Object == nil || !file.IsExecutable {
			continue
		}
		interp := list.CleanPath(file.Object.Interp)
		root := "/" + strings.SplitN(interp, "/", 3)[1]
		label, ok := names["/usr"+interp]
		if _, isThere := names[interp]; !ok || isThere || !strings.HasPrefix(root, "/lib") || c.nodes[root] != nil {
			continue
		}
		link := &list.Entry{Kind: list.Symlink, Name: root[1:], Target: "usr" + root, Perm: 0o777}
		c.made = append(c.made, link)
		c.put(&node{at: root, entry: link, name: link.Name, label: label})
	}
	return nil
}

// Files implements elf.System.
func (c *closure) Files() iter.Seq2[string, *elf.File] {
	return func(yield func(string, *elf.File) bool) {
		for _, at := range c.paths {
			n := c.nodes[at]
			if n.isSpare() && strings.HasPrefix(at, "/etc/") {
				continue // it configures no loader of the image
			}
			if !yield(at, n.file) {
				return
			}
		}
	}
}

var directoryFile = &elf.File{IsDir: true}

// Lookup implements elf.System.
func (c *closure) Lookup(name string) (*elf.File, string) {
	n, at := c.walk(name, nil)
	switch {
	case n == nil:
		return nil, at
	case n.isDir():
		return directoryFile, at
	}
	return n.file, at
}

// resolve takes what the programs need, and reports what is not there.
func (c *closure) resolve() {
	if n, _ := c.walk("/init", nil); n != nil && n.file != nil {
		n.file.IsFirst = true
	}
	c.takeConversions()
	extra := c.extraLibraries()
	hasExtra := len(extra) == 0
	files := elf.Resolve(c, elf.Options{Wants: c.wants, Extra: extra})
	for _, file := range files {
		if file.Needs == nil {
			continue
		}
		if file.Object.Interp != "" && file.IsExecutable && !file.IsSpare {
			c.takeLoader(file)
		}
		for _, need := range file.Needs {
			if need.Status == elf.Found {
				c.take(need.Opened, fmt.Sprintf("%s needs %s", file.Path, need.Name))
				c.checkOthers(need)
				continue
			}
			text := c.explain(file, need)
			if missing := (missingLibrary{need.Name, file.Object.Arch}); text != "" && !file.IsPlugin && !c.missing[missing] {
				c.missing[missing] = true
				c.fail(file, "%s", text)
			}
		}
		for i, load := range file.Loads {
			c.takeLoad(file, file.Object.Notes[i], load)
		}
		for _, need := range file.Extra {
			hasExtra = true
			switch {
			case need.Status == elf.Found:
				c.take(need.Opened, fmt.Sprintf("%s may load %s (the extra libraries)", file.Path, need.Name))
			case !isBuiltInService(need.Name):
				c.fail(file, "no source has the extra library %s: add one that has it, or do not ask for it (a service of nss is one of /etc/nsswitch.conf)", printable.Text(need.Name))
			}
		}
	}
	if !hasExtra {
		c.errors.Add(c.Errorf("the extra libraries %s are of the GNU C library, and no program uses its dynamic loader", strings.Join(extra, ", ")))
	}
	c.checkFeatures()
	for _, file := range files {
		if file.LoadedBy != nil && file.IsSpare {
			c.take(file.Path, fmt.Sprintf("%s needs it for some CPUs", file.LoadedBy.Path))
		}
	}
}

// checkFeatures reports features that no note has.
func (c *closure) checkFeatures() {
	for _, feature := range c.Features {
		if name := strings.TrimPrefix(feature, "-"); !c.features[name] {
			known := "no program or library has a note"
			if len(c.features) > 0 {
				known = "there are " + printable.Text(strings.Join(slices.Sorted(maps.Keys(c.features)), ", "))
			}
			c.errors.Add(c.Errorf("no program or library loads anything for the feature %s: %s", printable.Text(name), known))
		}
	}
}

// wants reports whether the options ask for what a note names.
func (c *closure) wants(note elf.Note) bool {
	c.features[note.Feature] = true
	switch {
	case slices.Contains(c.Features, "-"+note.Feature):
		return false
	case slices.Contains(c.Features, note.Feature):
		return true
	}
	return c.Dlopen != source.DlopenNone && note.Priority.Rank() <= elf.Priority(c.Dlopen).Rank()
}

// takeLoader takes the dynamic loader of a program. The kernel runs no loader that is not executable.
func (c *closure) takeLoader(file *elf.File) {
	interp := file.Object.Interp
	n, _ := c.walk(interp, nil)
	switch {
	case n == nil || n.file == nil || n.file.Object == nil:
		c.fail(file, "no source has its dynamic loader, %s: add the C library that it was linked with", printable.Text(interp))
		return
	case n.file.Object.Arch != file.Object.Arch:
		c.fail(file, "its dynamic loader, %s, is for %s: add a source for the architecture of the program", printable.Text(interp), n.file.Object.Arch)
		return
	}
	c.take(interp, fmt.Sprintf("%s needs its dynamic loader", file.Path))
	n.isLoader = true
}

// takeLoad takes the first shared object of a note that there is.
func (c *closure) takeLoad(file *elf.File, note elf.Note, load elf.Load) {
	if !load.IsWanted {
		return
	}
	for _, need := range load.Needs {
		if need.Status == elf.Found {
			feature := cmp.Or(note.Feature, note.Description, need.Name)
			c.take(need.Opened, fmt.Sprintf("%s may load %s (%s, %s)", file.Path, need.Name, feature, note.Priority))
			return
		}
	}
	if note.Priority == elf.Required || slices.Contains(c.Features, note.Feature) {
		c.fail(file, "no source has %s, which it loads for %s (%s): add one that has it, or leave the feature out", printable.Text(strings.Join(note.Sonames, " or ")),
			printable.Text(cmp.Or(note.Feature, "its work")), printable.Text(string(note.Priority)))
	}
}

// explain says what is wrong with a need; it is empty if nothing is.
func (c *closure) explain(file *elf.File, need elf.Need) string {
	name, at := printable.Text(need.Name), printable.Text(need.Path)
	switch need.Status {
	case elf.Missing:
		return fmt.Sprintf("no source has %s, which it needs: add one that has it", name)
	case elf.OtherArch:
		other, _ := c.Lookup(need.Path)
		return fmt.Sprintf("it needs %s for %s, and %s is for %s: add a source for this architecture", name, file.Object.Arch, at, other.Object.Arch)
	case elf.NotSearched:
		if file.LosesOrigin() {
			return fmt.Sprintf("it needs %s, which is at %s: its loader does not know $ORIGIN, because /proc is not mounted when the kernel starts it: move the library to /usr/lib", name, at)
		}
		return fmt.Sprintf("it needs %s, and its loader does not look where %s is: use a source that has it in /usr/lib, or link the program with a search path (RUNPATH)", name, at)
	case elf.NoVersion:
		return fmt.Sprintf("it needs %s with the symbol version %s, which %s lacks: use the version that it was linked with, or a newer one", name, printable.Text(need.Version), at)
	}
	return ""
}

// fail reports an error of a file: where it is from, and what needs it.
func (c *closure) fail(file *elf.File, format string, args ...any) {
	where := printable.Text(file.Path)
	if n, _ := c.walk(file.Path, nil); n != nil && n.label != "" {
		where += " of " + printable.Text(n.label)
	}
	seen := map[*elf.File]bool{file: true}
	for by := file.LoadedBy; by != nil && !seen[by]; by = by.LoadedBy {
		seen[by] = true
		where += ", which " + printable.Text(by.Path) + " needs"
		if len(seen) > 8 {
			break
		}
	}
	c.errors.Add(c.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// take takes what a path leads to, with the links on the way.
func (c *closure) take(name, reason string) {
	use := func(n *node) {
		if n.reason == "" && n.isSpare() {
			n.reason = reason
		}
	}
	if n, _ := c.walk(name, use); n != nil {
		use(n)
	}
}

// taken returns the entries that are taken, in the order of the sources: links to directories, and all
// others. A file of several names has those that are needed.
func (c *closure) taken(spare []spareEntry) (links, others []*list.Entry) {
	names := map[*list.Entry][]*node{}
	above := map[string]bool{}
	for _, at := range c.paths {
		n := c.nodes[at]
		if n.reason == "" {
			continue
		}
		names[n.entry] = append(names[n.entry], n)
		for _, other := range n.others {
			c.checkSame(n, other)
		}
		for dir := path.Dir(at); dir != "/" && !above[dir]; dir = path.Dir(dir) {
			above[dir] = true
		}
	}
	for _, at := range c.paths {
		if n := c.nodes[at]; above[at] && n.isSpare() && n.isDir() {
			names[n.entry] = append(names[n.entry], n)
		}
	}
	add := func(e *list.Entry, nodes []*node) {
		copied := *e
		copied.Name, copied.Links = nodes[0].name, nil
		for _, n := range nodes[1:] {
			copied.Links = append(copied.Links, n.name)
		}
		copied.Reason = nodes[0].reason
		if slices.ContainsFunc(nodes, func(n *node) bool { return n.isLoader }) {
			copied.Perm |= 0o111
		}
		copied.Pos = list.Pos{Origin: c.Pos.Origin, File: nodes[0].label}
		isRoot := e.Kind == list.Symlink
		if isRoot {
			n, _ := c.walk(nodes[0].at, nil)
			isRoot = n != nil && n.isDir()
		}
		if isRoot {
			links = append(links, &copied)
		} else {
			others = append(others, &copied)
		}
	}
	for _, e := range c.made {
		if nodes := names[e]; nodes != nil {
			add(e, nodes)
		}
	}
	done := map[*list.Entry]bool{}
	for _, s := range spare {
		if nodes := names[s.Entry]; nodes != nil && !done[s.Entry] {
			done[s.Entry] = true
			add(s.Entry, nodes)
		}
	}
	return links, others
}

// checkOthers reports a shared object that another source has in another directory with other
// content.
func (c *closure) checkOthers(need elf.Need) {
	n, _ := c.walk(need.Path, nil)
	for _, at := range need.Others {
		if other, _ := c.walk(at, nil); n != nil && other != nil && n.isSpare() && other.isSpare() && other.label != n.label && !c.compared[other.at] {
			c.compared[other.at] = true
			c.checkSame(n, other)
		}
	}
}

// checkSame reports two entries of sources with one path that differ in content: it is not known
// which of them is meant.
func (c *closure) checkSame(n, other *node) {
	first, second := *n.entry, *other.entry
	setDigest(&first)
	setDigest(&second)
	if first.Kind == second.Kind && first.Target == second.Target && first.Digest == second.Digest {
		return
	}
	c.errors.Add(c.Errorf("%s is in %s, and %s in %s has other content: leave one of them out (%s)",
		printable.Text(n.at), printable.Text(n.label), printable.Text(other.at), printable.Text(other.label), printable.Text(n.reason)))
}
