package list

import (
	"io"
	"path"
)

// Origins reads a completed list of this name and returns the labels of the targets
// that its comments name, by the absolute paths of their entries.
func Origins(r io.Reader, name string) (map[string]string, error) {
	origins := map[string]string{}
	for p := NewParser(r, Options{Name: name, Origins: true}); ; {
		e, _, err := p.Next()
		if err == io.EOF {
			return origins, nil
		}
		if err != nil {
			return nil, err
		}
		for _, name := range e.Names() {
			origins[path.Clean("/"+name)] = e.Pos.Origin
		}
	}
}
