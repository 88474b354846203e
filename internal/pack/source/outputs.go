package source

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// ResolveOutputs makes symbolic links of the entries whose files a build declares as
// symbolic links, and refuses files that the build does not know.
//
// The working directory has everything that the build declares: what its actions made is
// below the directory dir, and all else are sources. A build system that runs actions apart
// from each other gives each a working directory of its own, with a link for each file to
// the same path below the real one; a link that is declared as one is there as it is. From
// the real directory, a link may lead to what another action made and to a source. Anything
// else that it leads to is a file of this machine. So is what a link among the sources of the
// workspace leads to outside of it; sources that the build fetched may be anywhere.
func (s *Sources) ResolveOutputs(dir string) error {
	work, err := os.Getwd()
	if err != nil {
		return err
	}
	o := &outputs{dir: filepath.Clean(dir), work: work, plain: map[string]bool{}, places: map[string]bool{work: true}}
	if program, err := os.Executable(); err == nil {
		o.places[program] = true
	}
	if o.apart, err = hasNoLinks(work); err != nil {
		return err
	}
	var errs list.Errors
	for _, d := range s.inputs {
		if file := o.locate(d.Args[0]); file.made {
			if lead := o.leave(file); lead != "" {
				errs.Add(d.Errorf("%w", leaves(d.Args[0], lead)))
			}
		}
	}
	entries := s.allEntries()
	files := make([]output, len(entries))
	for i, e := range entries {
		if e.Kind == list.File && e.Content == nil {
			files[i] = o.locate(e.Location)
			o.apart = o.apart || files[i].staged && (files[i].made || o.isStaged(files[i].root))
			if files[i].made {
				o.places[files[i].root] = true
			}
		}
	}
	for i, e := range entries {
		if files[i].location == "" {
			continue
		}
		link, err := o.link(files[i])
		switch {
		case err != nil:
			errs.Add(e.Failed(err))
		case link != "" && len(e.Links) > 0:
			errs.Add(e.Failed(fmt.Errorf("%s is a symbolic link: it cannot have hard links", e.Location)))
		case link != "":
			e.Kind, e.Target, e.Location, e.Perm = list.Symlink, link, "", 0o777
		}
	}
	return errs.Err()
}

// isStaged reports whether a source that is a link to the same path below root is one because
// the working directory is that of one action: root is then the real working directory, and
// both have the same name. The real directory too has links to files at the top of the
// workspace, but the workspace has another name than a directory of Bazel (execroot/NAME).
func (o *outputs) isStaged(root string) bool {
	name := func(dir string) string { return filepath.Join(filepath.Base(filepath.Dir(dir)), filepath.Base(dir)) }
	return name(root) == name(o.work)
}

// hasNoLinks reports whether there are no links in a directory. The real working directory
// has some, to the sources.
func hasNoLinks(dir string) (bool, error) {
	all, err := os.ReadDir(dir)
	return !slices.ContainsFunc(all, func(e os.DirEntry) bool { return e.Type() == os.ModeSymlink }), err
}

func leaves(location, lead string) error {
	return fmt.Errorf("%s is a symbolic link to %s, a file of this machine that is not an input of the build: "+
		"copy the file in the build, or give the link as an entry of its own", location, lead)
}

// outputs knows where the files of a build are.
type outputs struct {
	dir, work string
	// apart reports that the working directory is that of one action.
	apart bool
	// plain has directories that are not links.
	plain map[string]bool
	// places has paths of the build system: it keeps what it fetched beside or above them.
	places map[string]bool
}

// output is a location and where its file really is.
type output struct {
	location string
	// made reports that an action made the file.
	made bool
	// staged reports that the location is a link to the path below the real working
	// directory, root.
	staged     bool
	root, path string
	// text is that of the link at the location, if it is one.
	text string
}

// maxLinks is how many links in a row Linux follows.
const maxLinks = 40

// locate finds out what is at a location.
func (o *outputs) locate(location string) output {
	f := output{location: location, root: o.work, path: filepath.Clean(location)}
	if !filepath.IsLocal(f.path) {
		return f
	}
	f.text, _ = os.Readlink(f.path)
	tail, ok := strings.CutPrefix(f.path, o.dir+"/")
	if !ok {
		o.locateSource(&f)
		return f
	}
	f.made = true

	// The first part below dir is the configuration, which may have another name here.
	_, tail, _ = strings.Cut(tail, "/")
	before, ok := strings.CutSuffix(f.text, "/"+tail)
	if root, config := filepath.Split(before); ok && filepath.IsAbs(root) {
		if root, ok = strings.CutSuffix(filepath.Clean(root), "/"+o.dir); ok && root != o.work {
			f.staged, f.root, f.path = true, root, filepath.Join(o.dir, config, tail)
		}
	}
	return f
}

// locateSource finds out where a source really is. A link to it, and a link in the real
// working directory to the first part of its path, lead to the same path elsewhere.
func (o *outputs) locateSource(f *output) {
	if root, ok := strings.CutSuffix(f.text, "/"+f.path); ok && filepath.IsAbs(f.text) {
		f.staged, f.root = true, root
	}
	first, _, _ := strings.Cut(f.path, "/")
	text, err := os.Readlink(filepath.Join(f.root, first))
	if err == nil && filepath.IsAbs(text) && filepath.Base(text) == first {
		f.root = filepath.Dir(text)
	}
}

// link returns the text of the link that is declared at the location, or "" for a file. The
// error says that the file is not one of the build's.
func (o *outputs) link(f output) (string, error) {
	switch {
	case !f.made:
		if lead := o.leaveSource(f); lead != "" {
			return "", leaves(f.location, lead)
		}
		return "", nil
	case f.staged:
		if lead := o.leave(f); lead != "" {
			return "", leaves(f.location, lead)
		}
		return "", nil
	case f.text == "":
		return "", nil
	case o.apart || o.leave(f) != "":
		return f.text, nil
	}
	if _, err := os.Stat(f.location); err != nil {
		return f.text, nil // it leads nowhere yet
	}
	return "", nil
}

// leave follows the links at and above a file, and returns where they leave what the build
// declares, or "".
func (o *outputs) leave(f output) string {
	done, rest := "", strings.Split(f.path, "/")
	for links := 0; len(rest) > 0 && links < maxLinks; {
		next := filepath.Join(done, rest[0])
		rest = rest[1:]
		path := filepath.Join(f.root, next)
		if o.plain[path] {
			done = next
			continue
		}
		text, err := os.Readlink(path)
		if err != nil { // not a link; opening it reports anything else
			o.plain[path] = len(rest) > 0
			done = next
			continue
		}
		links++
		if !filepath.IsAbs(text) {
			text = filepath.Join(f.root, done, text)
		}
		lead := filepath.Join(append([]string{text}, rest...)...)
		below, err := filepath.Rel(f.root, lead)
		switch {
		case err == nil && strings.HasPrefix(below, o.dir+"/"):
			done, rest = "", strings.Split(below, "/")
		case err == nil && filepath.IsLocal(below), isSource(f.root, lead):
			return ""
		default:
			return lead
		}
	}
	return ""
}

// leaveSource returns the file of this machine that a source of the workspace is a link to,
// or "".
func (o *outputs) leaveSource(f output) string {
	if f.root == o.work {
		return ""
	}
	for place := range o.places {
		if within(f.root, place) {
			return "" // fetched
		}
	}
	path := filepath.Join(f.root, f.path)
	if _, err := os.Readlink(path); err != nil {
		return ""
	}
	lead, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "" // opening it says why
	}
	if root, err := filepath.EvalSymlinks(f.root); err != nil || within(root, lead) {
		return ""
	}
	return lead
}

func within(dir, path string) bool {
	below, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(below)
}

// isSource reports whether a path is at or below what a link in root leads to, or a link in
// a directory of root.
func isSource(root, path string) bool {
	for ; path != filepath.Dir(path); path = filepath.Dir(path) {
		name := filepath.Base(path)
		for _, link := range []string{name, filepath.Join(filepath.Base(filepath.Dir(path)), name)} {
			if text, err := os.Readlink(filepath.Join(root, link)); err == nil && text == path {
				return true
			}
		}
	}
	return false
}
