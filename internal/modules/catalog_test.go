package modules

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// catalog returns a catalog of testTree and the tree.
func catalog(t testing.TB) ([]byte, *Tree) {
	t.Helper()
	tree, err := ReadTree(testTree())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteCatalog(&out, tree); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), tree
}

func TestCatalog(t *testing.T) {
	content, tree := catalog(t)
	again, err := ReadCatalog(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree, again); diff != "" {
		t.Error(diff)
	}
	other, _ := catalog(t)
	if !bytes.Equal(content, other) {
		t.Error("two catalogs of a tree differ")
	}
}

func TestBadCatalogs(t *testing.T) {
	content, _ := catalog(t)
	for n := range len(content) {
		tree, err := ReadCatalog(bytes.NewReader(content[:n]))
		if err != nil && !errors.Is(err, ErrCatalog) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
		if err == nil {
			t.Errorf("the first %d bytes are a tree with %d modules", n, len(tree.Modules))
		}
	}
	for name, lines := range map[string]string{
		"another word":      "color red\n",
		"field first":       "size 3\n",
		"file":              "file modules.order 30\na.ko\n",
		"unknown file":      "file modules.dep 1\na\n",
		"number":            "module a.ko\nimports 0\n",
		"negative":          "symbol 0 a\nmodule a.ko\nimports -1\n",
		"checksum":          "symbol 100000000 a\n",
		"path":              "module a\n",
		"two of a name":     "module a.ko\nmodule b/a.ko\nend 2\n",
		"too few":           "module a.ko\nend 2\n",
		"no number":         "end\n",
		"after its end":     "end 0\nmodule a.ko\n",
		"modules.order cut": "file modules.order 4\na.ko\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadCatalog(strings.NewReader(catalogHeader + lines)); !errors.Is(err, ErrCatalog) {
				t.Error(err)
			}
		})
	}
}

func TestCatalogOfLayer(t *testing.T) {
	_, tree := catalog(t)
	_, err := ReadCatalog(bytes.NewReader(layerFile(t, testLayer(tree, "//a:b", tree.Modules...))))
	if !errors.Is(err, ErrCatalog) || !strings.Contains(err.Error(), "--module-catalog") {
		t.Error(err)
	}
}

func FuzzCatalog(f *testing.F) {
	content, _ := catalog(f)
	f.Add(content)
	f.Add([]byte(catalogHeader + "symbol 0 a\\n\nmodule a.ko\nimports 0 0\ninfo a=b\\\\=\nend 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := ReadCatalog(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrCatalog) {
				t.Error(err)
			}
			return
		}
		var out bytes.Buffer
		if err := WriteCatalog(&out, tree); err != nil {
			t.Fatal(err)
		}
		again, err := ReadCatalog(&out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tree, again); diff != "" {
			t.Error(diff)
		}
	})
}
