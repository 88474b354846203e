package list

import (
	"io"
)

// Origins reads the completed list r, which errors call name, and returns where its
// entries come from, by their absolute paths.
func Origins(r io.Reader, name string) (map[string]string, error) {
	origins := map[string]string{}
	for p := NewParser(r, Options{Name: name, Directives: true}); ; {
		e, _, err := p.Next()
		switch {
		case err == io.EOF:
			return origins, nil
		case err != nil:
			return nil, err
		case e == nil:
			continue
		}
		for _, name := range e.Names() {
			origins[CleanPath(name)] = e.Pos.Origin
		}
	}
}
