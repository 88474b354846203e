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

// indexSet is the union of the kernel modules that several layers have in one directory.
type indexSet struct {
	base    string
	layers  []*modules.LayerCatalog
	origins map[string]bool
	// names are those of the indexes in their order; contents, by the paths of the files.
	names    []string
	contents map[string][]byte
}

// mergeIndexes returns a set for each directory of modules that more than one layer has.
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
	sets = slices.DeleteFunc(sets, func(s *indexSet) bool { return len(s.layers) < 2 })
	for _, s := range sets {
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

// check returns an error if the layers' entries lack what the catalogs list.
func (s *indexSet) check(layers [][]*list.Entry) error {
	there := map[string]bool{}
	for _, layer := range layers {
		for _, e := range layer {
			for _, name := range e.Names() {
				there[list.CleanPath(name)] = true
			}
		}
	}
	for _, c := range s.layers {
		for _, m := range c.Tree.Modules {
			if at := s.path(m.Path); !there[at] {
				return fmt.Errorf("the catalog of kernel modules of %s lists %s, which the image lacks: use the catalog that was written with the layer, and leave out nothing of it", printable.Text(c.Origin), printable.Text(at))
			}
		}
	}
	for _, at := range s.names {
		if !there[at] {
			return fmt.Errorf("the image has kernel modules of several layers in %s, and lacks the index %s: leave out nothing of these layers", printable.Text(s.base), printable.Text(at))
		}
	}
	return nil
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
