package modules

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// layerFile returns the file of a catalog.
func layerFile(t testing.TB, c *LayerCatalog) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WriteLayerCatalog(&out, c); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// testLayer returns the catalog of a layer with some modules of a tree.
func testLayer(tree *Tree, origin string, modules ...*Module) *LayerCatalog {
	return &LayerCatalog{Origin: origin, Base: "lib/modules/" + release, Tree: &Tree{KernelFiles: tree.KernelFiles, Modules: modules, Builtins: tree.Builtins}}
}

func TestLayerCatalog(t *testing.T) {
	_, tree := catalog(t)
	want := testLayer(tree, "//a \\b\n:c", tree.Modules...)
	content := layerFile(t, want)
	got, err := ReadLayerCatalog(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for n := range content {
		if _, err := ReadLayerCatalog(bytes.NewReader(content[:n])); !errors.Is(err, ErrCatalog) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	rest := catalogHeader + "end 0\n"
	for name, content := range map[string]string{
		"another header": "layer of modules 0\n\nlib/modules/1\n" + rest,
		"a way out":      layerHeader + "\n../modules/1\n" + rest,
		"the root":       layerHeader + "\n/\n" + rest,
		"not modules":    layerHeader + "\nlib/firmware/1\n" + rest,
		"a long origin":  layerHeader + strings.Repeat("x", maxLine) + "\nlib/modules/1\n" + rest,
		"a longer one":   layerHeader + strings.Repeat("x", 8*maxLine) + "\nlib/modules/1\n" + rest,
	} {
		if _, err := ReadLayerCatalog(strings.NewReader(content)); !errors.Is(err, ErrCatalog) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The indexes of several layers are those that depmod makes of all their modules.
func TestMergedLayers(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			j := newJudge(t)
			r := rand.New(rand.NewPCG(seed, 1))
			files := generate(t, seed)
			tree, err := ReadTree(os.DirFS(write(t, t.TempDir(), files)))
			if err != nil {
				t.Fatal(err)
			}
			some := make([][]*Module, 2+r.IntN(2))
			union := map[string][]byte{}
			for _, m := range tree.Modules {
				for i := range some {
					if r.IntN(3) == 0 {
						some[i] = append(some[i], m)
						union[m.Path] = files[m.Path]
					}
				}
			}
			var layers []*LayerCatalog
			for i, modules := range some {
				layer, err := ReadLayerCatalog(bytes.NewReader(layerFile(t, testLayer(tree, fmt.Sprint("//x:", i), modules...))))
				if err != nil {
					t.Fatal(err)
				}
				layers = append(layers, layer)
			}
			merged, err := MergeLayers(layers)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range merged.Tree.files() {
				if *f.content != nil {
					union[f.name] = *f.content
				}
			}
			base := t.TempDir()
			write(t, base, union)
			want, text, err := j.run(base, release)
			if err != nil {
				t.Fatal(err, text)
			}
			j.compare(want, merged.Tree.Modules, merged.Tree.KernelFiles)
		})
	}
}

// The order of the kernel decides in which order the modules of two layers are, not that of the
// layers.
func TestMergedOrder(t *testing.T) {
	tree := &Tree{KernelFiles: KernelFiles{Order: []byte("a.ko\nb.ko\nc.ko\nd.ko\n")}}
	module := func(name string) *Module { return &Module{Name: Name(name), Path: name} }
	merged, err := MergeLayers([]*LayerCatalog{
		testLayer(tree, "//x:x", module("d.ko"), module("b.ko")),
		testLayer(tree, "//y:y", module("c.ko"), module("b.ko")),
		testLayer(tree, "//z:z"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(merged.Tree.Order); got != "b.ko\nc.ko\nd.ko\n" {
		t.Errorf("modules.order is %q", got)
	}
	var names []string
	for _, m := range merged.Tree.Modules {
		names = append(names, m.Name)
	}
	if diff := cmp.Diff([]string{"b", "c", "d"}, names); diff != "" {
		t.Error(diff)
	}
}

// A module below updates takes the place of the kernel's own, as in a single directory.
func TestMergedUpdates(t *testing.T) {
	tree := &Tree{KernelFiles: KernelFiles{Order: []byte("kernel/a.ko\n")}}
	merged, err := MergeLayers([]*LayerCatalog{
		testLayer(tree, "//x:x", &Module{Name: "a", Path: "kernel/a.ko"}),
		testLayer(tree, "//y:y", &Module{Name: "a", Path: "updates/a.ko"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if modules := merged.Tree.Modules; len(modules) != 1 || modules[0].Path != "updates/a.ko" {
		t.Errorf("%v", modules)
	}
}

func TestMergeLayersErrors(t *testing.T) {
	_, tree := catalog(t)
	m := tree.Modules[0]
	other := *m
	other.Digest = strings.Repeat("0", 64)
	smaller := *m
	smaller.Path = strings.TrimSuffix(m.Path, ".xz") + ".zst"
	another := *tree
	another.Builtin = []byte("kernel/another.ko\n")
	texts := map[string]string{}
	for name, second := range map[string]*LayerCatalog{
		"other content":     testLayer(tree, "//b:second", &other),
		"other compression": testLayer(tree, "//b:second", &smaller),
		"another kernel":    testLayer(&another, "//b:second", m),
	} {
		_, err := MergeLayers([]*LayerCatalog{testLayer(tree, "//a:first", m), second})
		if !errors.Is(err, ErrLayers) || !strings.Contains(err.Error(), "//a:first") || !strings.Contains(err.Error(), second.Origin) {
			t.Errorf("%s: %v", name, err)
		}
		texts[name] = fmt.Sprint(err)
	}
	golden.Section(t, "messages.txt", texts)
}

func FuzzReadLayerCatalog(f *testing.F) {
	_, tree := catalog(f)
	f.Add(layerFile(f, testLayer(tree, "//a:b", tree.Modules...)))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := ReadLayerCatalog(bytes.NewReader(content))
		if err != nil {
			return
		}
		again, err := ReadLayerCatalog(bytes.NewReader(layerFile(t, c)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Error(diff)
		}
		MergeLayers([]*LayerCatalog{c, again})
	})
}
