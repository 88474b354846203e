package plan

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// indexSet is what the layers of an image have in one directory of kernel modules.
type indexSet struct {
	base    string
	layers  []*modules.LayerCatalog
	origins map[string]bool
	// names are those of the merged indexes in their order; contents, by the paths of the files.
	// Both are empty if one layer has modules: its indexes are whole.
	names    []string
	contents map[string][]byte
}

// mergeIndexes returns a set for each directory of modules that the catalogs have.
func mergeIndexes(catalogs []*modules.LayerCatalog) ([]*indexSet, error) {
	var sets []*indexSet
	byBase := map[string]*indexSet{}
	for _, c := range catalogs {
		s := byBase[c.Base]
		if s == nil {
			s = &indexSet{base: c.Base, origins: map[string]bool{"": true}, contents: map[string][]byte{}}
			byBase[c.Base] = s
			sets = append(sets, s)
		}
		s.layers = append(s.layers, c)
		s.origins[c.Origin] = true
	}
	for _, s := range sets {
		if len(s.layers) < 2 {
			continue
		}
		union, err := modules.MergeLayers(s.layers)
		if err != nil {
			return nil, err
		}
		err = union.Tree.Indexes(func(name string, content []byte) error {
			at := s.path(name)
			s.names = append(s.names, at)
			s.contents[at] = content
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", printable.Text(s.base), err)
		}
	}
	return sets, nil
}

func (s *indexSet) path(name string) string { return list.CleanPath(path.Join(s.base, name)) }

// isIndex reports whether an entry is an index that one of the layers has, and returns its path.
func (s *indexSet) isIndex(e *list.Entry) (at string, ok bool) {
	if e.Kind != list.File || len(e.Links) > 0 || !s.origins[e.Pos.Origin] {
		return "", false
	}
	at = list.CleanPath(e.Name)
	_, ok = s.contents[at]
	return at, ok
}

// isModuleIndex reports whether a name is like that of an index of kernel modules.
func isModuleIndex(name string) bool {
	dir, file := path.Split(list.CleanPath(name))
	return strings.HasPrefix(file, "modules.") && path.Base(path.Dir(path.Clean(dir))) == "modules"
}

// check returns an error if the layers' entries lack what the catalogs list, or if they have modules
// that the merged indexes would not list.
func (s *indexSet) check(layers [][]*list.Entry) error {
	there := map[string]bool{}
	for _, layer := range layers {
		for _, e := range layer {
			for _, name := range e.Names() {
				there[list.CleanPath(name)] = true
			}
		}
	}
	listed := map[string]bool{}
	for _, c := range s.layers {
		for _, m := range c.Tree.Modules {
			at := s.path(m.Path)
			if !there[at] {
				return fmt.Errorf("the catalog of kernel modules of %s lists %s, which the image lacks: use the catalog that was written with the layer, and leave out nothing of it", c.Name(), printable.Text(at))
			}
			listed[at] = true
		}
	}
	for _, at := range s.names {
		if !there[at] {
			return fmt.Errorf("the image has kernel modules of several layers in %s, and lacks the index %s: leave out nothing of these layers", printable.Text(s.base), printable.Text(at))
		}
	}
	if len(s.names) == 0 && !s.isGivenTwice(layers) {
		return nil
	}
	for _, layer := range layers {
		for _, e := range layer {
			if at := s.unlisted(e, listed); at != "" {
				return errorf(e, "no catalog describes the kernel module %s, so the indexes would lack it: %s", printable.Text(at), unlistedCure(e))
			}
		}
	}
	return nil
}

// isGivenTwice reports whether several entries give the first index, and none is to replace another.
func (s *indexSet) isGivenTwice(layers [][]*list.Entry) bool {
	index := s.path("modules.dep")
	count := 0
	for _, layer := range layers {
		for _, e := range layer {
			if list.CleanPath(e.Name) != index {
				continue
			}
			if count++; slices.Contains(e.Replaces, index) {
				return false
			}
		}
	}
	return count > 1
}

// unlisted returns the path of a module that an entry has and that is not listed, or "". As depmod
// does, it leaves out the directories of the kernel's source, build and source.
func (s *indexSet) unlisted(e *list.Entry, listed map[string]bool) string {
	if e.Kind != list.File {
		return ""
	}
	for _, name := range e.Names() {
		at := list.CleanPath(name)
		below, ok := strings.CutPrefix(at, s.path("")+"/")
		first, _, _ := strings.Cut(below, "/")
		if ok && first != "build" && first != "source" && modules.IsModule(at) && !listed[at] {
			return at
		}
	}
	return ""
}

// unlistedCure says how to have a module in the indexes.
func unlistedCure(e *list.Entry) string {
	if e.Pos.Origin == "" {
		return "name the catalog of each layer with --module-catalog, as it was written with the layer"
	}
	return "choose it with kernel_modules, or leave it out"
}

// MergeModuleIndexes gives the indexes of kernel modules that several layers have the content for
// the modules of all of them, so that they merge.
func MergeModuleIndexes(entries []*list.Entry, catalogs []*modules.LayerCatalog) error {
	sets, err := mergeIndexes(catalogs)
	if err != nil {
		return err
	}
	for _, s := range sets {
		if err := s.check([][]*list.Entry{entries}); err != nil {
			return err
		}
		for _, e := range entries {
			if at, ok := s.isIndex(e); ok {
				setContent(e, s.contents[at])
			}
		}
	}
	return nil
}

func setContent(e *list.Entry, content []byte) {
	e.Location, e.OnDisk, e.Digest = "", list.FileID{}, ""
	e.Content = io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content)))
}

// EndModuleIndexes returns a layer to unpack after others: the indexes of kernel modules that
// several of them have, for the modules of all. In the layers, a later index may now replace an
// earlier one.
func EndModuleIndexes(layers [][]*list.Entry, catalogs []*modules.LayerCatalog) ([]*list.Entry, error) {
	sets, err := mergeIndexes(catalogs)
	if err != nil {
		return nil, err
	}
	var end []*list.Entry
	for _, s := range sets {
		if err := s.check(layers); err != nil {
			return nil, err
		}
		last := map[string]*list.Entry{}
		for _, layer := range layers {
			for _, e := range layer {
				if at, ok := s.isIndex(e); ok {
					if last[at] != nil {
						e.Replaced = append(e.Replaced, at)
					}
					last[at] = e
				}
			}
		}
		for _, at := range s.names {
			first := last[at]
			if first == nil {
				continue // it is of another origin, and merging the layers reports it
			}
			e := *first
			e.Replaces, e.Replaced = nil, []string{at}
			setContent(&e, s.contents[at])
			if setDigest(&e); e.Digest != first.Digest {
				end = append(end, &e)
			}
		}
	}
	return end, nil
}
