package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// kernelModules are some modules of a kernel, whose files have their names for content.
func kernelModules(names ...string) *modules.Tree {
	tree := &modules.Tree{KernelFiles: modules.KernelFiles{
		Order:   []byte("kernel/core.ko\nkernel/net.ko\nkernel/disk.ko\nkernel/fs.ko\n"),
		Builtin: []byte("kernel/bus.ko\n"),
	}}
	for _, name := range names {
		sum := sha256.Sum256([]byte(name))
		m := &modules.Module{
			Name: name, Path: "kernel/" + name + ".ko", Size: int64(len(name)), Digest: hex.EncodeToString(sum[:]),
			Info: modules.Info{{Key: "alias", Value: "pci:" + name + "*"}}, Exports: []modules.Symbol{{Name: name + "_do"}},
		}
		if name != "core" {
			m.Imports = []modules.Symbol{{Name: "core_do"}}
		}
		tree.Modules = append(tree.Modules, m)
	}
	return tree
}

// indexes returns the indexes of a tree by their names.
func indexes(t *testing.T, tree *modules.Tree) map[string]string {
	t.Helper()
	tree.KernelFiles = tree.Filter(tree.Modules)
	all := map[string]string{}
	if err := tree.Indexes(func(name string, content []byte) error {
		all[name] = string(content)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// writeLayer writes the directory NAME with the modules of a kernel, NAME.list, which lists what is
// in it for the origin //NAME:NAME, and NAME.catalog.
func writeLayer(t *testing.T, name, release string, tree *modules.Tree) {
	t.Helper()
	base := "lib/modules/" + release
	origin := "//" + name + ":" + name
	files := map[string]string{name + ".catalog": string(layerCatalog(t, origin, release, tree))}
	text := fmt.Sprintf("#: origin %s\n#: modules %s.catalog\n", origin, name)
	add := func(path, content string) {
		files[filepath.Join(name, base, path)] = content
		text += fmt.Sprintf("file /%s/%s %s/%s/%s 0644 0 0\n", base, path, name, base, path)
	}
	for _, m := range tree.Modules {
		add(m.Path, m.Name)
	}
	own := *tree
	all := indexes(t, &own)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		content := all[path]
		add(path, content)
	}
	files[name+".list"] = text
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// layerCatalog returns the catalog of a layer that has the modules of a kernel.
func layerCatalog(t *testing.T, origin, release string, tree *modules.Tree) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := modules.WriteLayerCatalog(&out, &modules.LayerCatalog{Origin: origin, Base: "lib/modules/" + release, Tree: tree}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// packWhole packs the layers with these names into the file out.
func packWhole(t *testing.T, out string, names ...string) error {
	opts := Options{Options: write.Options{Out: out, ListOut: out + ".list", ContentsOut: out + ".contents", Jobs: 1}, Read: source.Options{Directives: true}, Parents: true}
	for _, name := range names {
		opts.Lists = append(opts.Lists, name+".list")
	}
	return Run(t.Context(), opts)
}

// packLayers packs the layers with these names, and joins them to the file out and, without the
// layers, to out.tail.
func packLayers(t *testing.T, out string, names ...string) error {
	var files Layers
	for _, name := range names {
		archive, completed := name+".layer", name+".layer.list"
		if err := Run(t.Context(), Options{
			Options: write.Options{Out: archive, ListOut: completed, Layer: true, Jobs: 1}, Read: source.Options{Directives: true},
			Lists: []string{name + ".list"}, Parents: true,
		}); err != nil {
			t.Fatal(err)
		}
		files.Archives, files.Lists = append(files.Archives, archive), append(files.Lists, completed)
		files.ModuleCatalogs = append(files.ModuleCatalogs, name+".catalog")
	}
	if err := Join(t.Context(), files, write.Options{Out: out, Jobs: 1}); err != nil {
		return err
	}
	files.Archives = nil
	return Join(t.Context(), files, write.Options{Out: out + ".tail", ListOut: out + ".list", ContentsOut: out + ".contents", Jobs: 1})
}

// However an image is split, it has the indexes of all of its modules.
func TestModulesOfSeveralLayers(t *testing.T) {
	for _, test := range []struct {
		name   string
		layers map[string][]string
		all    []string
		tail   bool // whether anything follows the layers
	}{
		{"two", map[string][]string{"a": {"core", "fs"}, "b": {"core", "net"}}, []string{"core", "net", "fs"}, true},
		{"three", map[string][]string{"a": {"core", "disk"}, "b": {"core", "net"}, "c": {"core", "fs"}}, []string{"core", "net", "disk", "fs"}, true},
		{"one of them empty", map[string][]string{"a": {"core", "disk"}, "b": {}}, []string{"core", "disk"}, true},
		{"the last has all", map[string][]string{"a": {"core"}, "b": {"core", "net"}}, []string{"core", "net"}, false},
		{"the same", map[string][]string{"a": {"core", "fs"}, "b": {"core", "fs"}}, []string{"core", "fs"}, false},
		{"one", map[string][]string{"a": {"core", "net"}}, []string{"core", "net"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			packtest.InTree(t, nil)
			var names []string
			for _, name := range []string{"a", "b", "c"} {
				if of, ok := test.layers[name]; ok {
					names = append(names, name)
					writeLayer(t, name, "6.1", kernelModules(of...))
				}
			}
			want := map[string]string{}
			for name, content := range indexes(t, kernelModules(test.all...)) {
				want["/lib/modules/6.1/"+name] = content
			}
			for _, name := range test.all {
				want["/lib/modules/6.1/kernel/"+name+".ko"] = name
			}
			for how, pack := range map[string]func(*testing.T, string, ...string) error{"whole": packWhole, "layers": packLayers} {
				if err := pack(t, how, names...); err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if diff := cmp.Diff(want, filesOf(t, how)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
				// The list says the same.
				if err := Run(t.Context(), Options{Lists: []string{how + ".list"}, Options: write.Options{Out: "again", Jobs: 1}}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, filesOf(t, "again")); diff != "" {
					t.Errorf("the list of %s (-want +got):\n%s", how, diff)
				}
			}
			if diff := cmp.Diff(unpackedFile(t, "whole"), unpackedFile(t, "layers"),
				cmpopts.IgnoreUnexported(kernel.File{}), cmpopts.IgnoreFields(kernel.File{}, "Body")); diff != "" {
				t.Errorf("files (-whole +layers):\n%s", diff)
			}
			var parts []byte
			for _, name := range names {
				parts = append(parts, readFile(t, name+".layer")...)
			}
			tail := readFile(t, "layers.tail")
			if (len(tail) > 0) != test.tail {
				t.Errorf("the tail has %d bytes", len(tail))
			}
			if !bytes.Equal(append(parts, tail...), readFile(t, "layers")) {
				t.Error("the parts are not the joined image")
			}
		})
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// filesOf returns the contents of the files that an image unpacks to.
func filesOf(t *testing.T, name string) map[string]string {
	t.Helper()
	sources, err := source.Open(t.Context(), []string{name}, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sources.Close()
	files := map[string]string{}
	for _, e := range sources.Entries {
		if e.Kind != list.File {
			continue
		}
		content, err := source.OpenContent(e)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content.Reader)
		if err != nil {
			t.Fatal(err)
		}
		files[list.CleanPath(e.Name)] = string(text)
	}
	return files
}

// Two kernels have indexes of their own.
func TestModulesOfTwoKernels(t *testing.T) {
	packtest.InTree(t, nil)
	writeLayer(t, "a", "6.1", kernelModules("core", "fs"))
	writeLayer(t, "b", "7.2", kernelModules("core", "net"))
	for how, pack := range map[string]func(*testing.T, string, ...string) error{"whole": packWhole, "layers": packLayers} {
		if err := pack(t, how, "a", "b"); err != nil {
			t.Fatal(err)
		}
		files := filesOf(t, how)
		for release, tree := range map[string]*modules.Tree{"6.1": kernelModules("core", "fs"), "7.2": kernelModules("core", "net")} {
			for name, want := range indexes(t, tree) {
				if got := files["/lib/modules/"+release+"/"+name]; got != want {
					t.Errorf("%s: %s of %s is %q, want %q", how, name, release, got, want)
				}
			}
		}
	}
	if tail := readFile(t, "layers.tail"); len(tail) > 0 {
		t.Errorf("the tail has %d bytes", len(tail))
	}
}

func TestModulesErrors(t *testing.T) {
	messages := map[string]string{}
	t.Run("in a directory", func(t *testing.T) {
		packtest.InTree(t, nil)
		writeLayer(t, "a", "6.1", kernelModules("core", "fs"))
		writeLayer(t, "b", "6.1", kernelModules("core", "net"))
		other := kernelModules("core")
		other.Modules[0].Name, other.Modules[0].Digest = "CORE", strings.Repeat("0", 64)
		writeLayer(t, "other", "6.1", other)
		another := kernelModules("core")
		another.Builtin = nil
		writeLayer(t, "kernel", "6.1", another)
		write := func(name, text string) {
			if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		text := string(readFile(t, "b.list"))
		write("no-catalog.list", strings.ReplaceAll(text, "#: modules b.catalog\n", ""))
		write("bad.list", strings.ReplaceAll(text, "b.catalog", "b.list"))
		write("gone.list", strings.ReplaceAll(text, "b.catalog", "gone"))
		partial := ""
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "/kernel/net.ko") {
				partial += line
			}
		}
		write("partial.list", partial)
		write("no-origins.list", strings.NewReplacer("#: origin //b:b\n", "", "#: modules b.catalog\n", "").Replace(text))
		write("none.list", string(readFile(t, "no-origins.list")))
		write("a-none.list", strings.ReplaceAll(string(readFile(t, "a.list")), "#: modules a.catalog\n", ""))
		write("wrong.list", strings.ReplaceAll(text, "b.catalog", "a.catalog"))
		for name, words := range map[string][]string{
			"other":      {"//a:a", "//other:other", "/kernel/core.ko"},
			"kernel":     {"//a:a", "//kernel:kernel", "modules.builtin"},
			"no-catalog": {"//b:b", "/kernel/net.ko"},
			"bad":        {"b.list"},
			"gone":       {"gone"},
			"partial":    {"//b:b", "/kernel/net.ko"},
			"no-origins": {"no-origins.list", "/kernel/net.ko"},
			"none":       {"//a:a", "modules.dep"},
			"wrong":      {"//b:b", "/kernel/net.ko"},
		} {
			before := packtest.Tree(t)
			first := "a"
			if name == "none" {
				first = "a-none"
			}
			err := packWhole(t, "out", first, name)
			for _, word := range words {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%s: %v, which lacks %s", name, err, word)
				}
			}
			if diff := cmp.Diff(before, packtest.Tree(t)); diff != "" {
				t.Errorf("%s leaves (-before +after):\n%s", name, diff)
			}
			if err != nil {
				messages[name], _, _ = strings.Cut(err.Error(), "\n")
			}
			if name != "other" && name != "kernel" {
				continue
			}
			if layered := packLayers(t, "out", "a", name); layered == nil || layered.Error() != fmt.Sprint(err) {
				t.Errorf("%s: as layers: %v", name, layered)
			}
		}
	})
	golden.Messages(t, "TestModulesErrors.txt", messages)
}

// Every catalog is read and checked, however many there are, and every module is in one of them.
func TestModuleCatalogsChecked(t *testing.T) {
	packtest.InTree(t, nil)
	writeLayer(t, "a", "6.1", kernelModules("core", "fs"))
	writeLayer(t, "b", "6.1", kernelModules("core", "net"))
	if err := os.WriteFile("net.catalog", layerCatalog(t, "", "6.1", kernelModules("core", "net")), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := Run(t.Context(), Options{
			Options: write.Options{Out: name + ".layer", ListOut: name + ".layer.list", Layer: true, Jobs: 1}, Read: source.Options{Directives: true},
			Lists: []string{name + ".list"}, Parents: true,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name             string
		layers, catalogs []string
		want             []string // words of the error, or nil
	}{
		{"one", []string{"a"}, []string{"a.catalog"}, nil},
		{"both", []string{"a", "b"}, []string{"a.catalog", "b.catalog"}, nil},
		{"gone", []string{"a"}, []string{"gone"}, []string{"gone"}},
		{"not a catalog", []string{"a"}, []string{"a.list"}, []string{"a.list"}},
		{"of another layer", []string{"a"}, []string{"b.catalog"}, []string{"//b:b", "/lib/modules/6.1/kernel/net.ko"}},
		{"without an origin", []string{"a"}, []string{"net.catalog"}, []string{"net.catalog", "/lib/modules/6.1/kernel/net.ko"}},
		{"a catalog is missing", []string{"a", "b"}, []string{"a.catalog"}, []string{"//b:b", "/lib/modules/6.1/kernel/net.ko"}},
		{"the same twice", []string{"a", "b"}, []string{"a.catalog", "a.catalog"}, []string{"//b:b", "/lib/modules/6.1/kernel/net.ko"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			whole := Options{Options: write.Options{Out: "out", Jobs: 1}, Read: source.Options{Directives: true}, ModuleCatalogs: test.catalogs, Parents: true}
			tail := Layers{ModuleCatalogs: test.catalogs}
			joined := tail
			for _, name := range test.layers {
				bare := name + ".bare.list"
				text := strings.ReplaceAll(string(readFile(t, name+".list")), "#: modules "+name+".catalog\n", "")
				if err := os.WriteFile(bare, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
				whole.Lists = append(whole.Lists, bare)
				tail.Lists = append(tail.Lists, name+".layer.list")
				joined.Archives, joined.Lists = append(joined.Archives, name+".layer"), append(joined.Lists, name+".layer.list")
			}
			for how, err := range map[string]error{
				"pack": Run(t.Context(), whole),
				"join": Join(t.Context(), joined, write.Options{Out: "joined", Jobs: 1}),
				"tail": Join(t.Context(), tail, write.Options{Out: "tail", Jobs: 1}),
			} {
				if test.want == nil && err != nil {
					t.Errorf("%s: %v", how, err)
				}
				for _, word := range test.want {
					if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), word) {
						t.Errorf("%s: %v, want one line with %s", how, err, word)
					}
				}
			}
		})
	}
}
