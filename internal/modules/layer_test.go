package modules

import (
	"context"
	stdelf "debug/elf"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// info returns the modinfo of a module.
func info(texts ...string) []string { return append(texts, "vermagic="+vermagic) }

// kernelDir returns a directory with usr/lib/modules/RELEASE, and the release's directory.
func kernelDir(t testing.TB) (root, dir string) {
	t.Helper()
	root = t.TempDir()
	dir = filepath.Join(root, "usr/lib/modules", release)
	net := ko{info: info("depends=core", "firmware=net.bin"), imports: []string{"core_function"}}.bytes()
	files := map[string][]byte{
		"kernel/core.ko":          ko{info: info("depends="), exports: []string{"core_function"}}.bytes(),
		"kernel/net/net-card.ko":  sign(net, "signature"),
		"kernel/unused.ko":        ko{info: info("alias=fs-unused")}.bytes(),
		"kernel/packed.ko.xz":     pack(t, "xz", ko{info: info("alias=fs-packed", "softdep=pre: core")}.bytes()),
		"modules.order":           []byte("kernel/core.ko\nkernel/unused.ko\nkernel/net/net-card.ko\nkernel/packed.ko\n"),
		"modules.builtin":         []byte("kernel/fs/ext4/ext4.ko\n"),
		"modules.builtin.modinfo": []byte("ext4.file=fs/ext4/ext4\x00ext4.alias=fs-ext4\x00"),
	}
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, content, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	return root, dir
}

func pack(t testing.TB, to Compression, content []byte) []byte {
	t.Helper()
	packed, err := recompress(to, content)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// newLayer returns a layer of a kernel's modules.
func newLayer(t testing.TB, root string, words ...string) *Layer {
	t.Helper()
	kernel, err := FindKernel(root)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := ReadTree(os.DirFS(kernel.Dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := kernel.Name(tree); err != nil {
		t.Fatal(err)
	}
	s, err := Choose(tree, Request{Words: words})
	if err != nil {
		t.Fatal(err)
	}
	return &Layer{Kernel: kernel, Tree: tree, Selection: s, Prefix: "lib", Compression: KeepCompression}
}

// filesIn returns the paths of the files below a directory.
func filesIn(t testing.TB, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(name, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestLayer(t *testing.T) {
	root, dir := kernelDir(t)
	firmware := firmwareDir(t, map[string]string{"net.bin": "firmware"})
	l := newLayer(t, root, "net_card", "fs-packed", "ext4")
	l.Firmware = []Firmware{
		{Name: "net.bin", Source: filepath.Join(firmware, "net.bin"), For: []string{"net_card"}},
		{Name: "sub/link.bin", Target: "../net.bin", For: []string{"net_card"}},
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := l.Write(context.Background(), out); err != nil {
		t.Fatal(err)
	}
	want := []string{"lib/firmware/net.bin", "lib/firmware/sub/link.bin"}
	for _, name := range []string{"kernel/core.ko", "kernel/net/net-card.ko", "kernel/packed.ko.xz", "modules.alias", "modules.alias.bin", "modules.builtin",
		"modules.builtin.alias.bin", "modules.builtin.bin", "modules.builtin.modinfo", "modules.dep", "modules.dep.bin", "modules.devname", "modules.order",
		"modules.softdep", "modules.symbols", "modules.symbols.bin", "modules.weakdep"} {
		want = append(want, "lib/modules/"+release+"/"+name)
	}
	if diff := cmp.Diff(want, filesIn(t, out)); diff != "" {
		t.Fatal(diff)
	}
	to := filepath.Join(out, "lib/modules", release)
	for _, name := range []string{"kernel/core.ko", "kernel/net/net-card.ko", "kernel/packed.ko.xz"} {
		before, err := os.ReadFile(filepath.Join(dir, name))
		after, err2 := os.ReadFile(filepath.Join(to, name))
		if err := errors.Join(err, err2); err != nil || string(before) != string(after) {
			t.Errorf("%s is not copied as it is: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"modules.order": "kernel/core.ko\nkernel/net/net-card.ko\nkernel/packed.ko\n",
		"modules.dep":   "kernel/core.ko:\nkernel/net/net-card.ko: kernel/core.ko\nkernel/packed.ko.xz:\n",
	} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(out, "lib/firmware/sub/link.bin")); err != nil || target != "../net.bin" {
		t.Errorf("link: %q, %v", target, err)
	}
	if content, err := os.ReadFile(filepath.Join(out, "lib/firmware/sub/link.bin")); err != nil || string(content) != "firmware" {
		t.Errorf("content of the link: %q, %v", content, err)
	}
}

func TestLayerCompression(t *testing.T) {
	root, _ := kernelDir(t)
	for _, test := range []struct {
		compression Compression
		want        []string
	}{
		{KeepCompression, []string{"core.ko", "net-card.ko", "packed.ko.xz"}},
		{"none", []string{"core.ko", "net-card.ko", "packed.ko"}},
		{"xz", []string{"core.ko.xz", "net-card.ko.xz", "packed.ko.xz"}},
		{"zstd:3", []string{"core.ko.zst", "net-card.ko.zst", "packed.ko.zst"}},
		{"gzip", []string{"core.ko.gz", "net-card.ko.gz", "packed.ko.gz"}},
	} {
		t.Run(string(test.compression), func(t *testing.T) {
			l := newLayer(t, root, "net_card", "packed")
			l.Compression = test.compression
			out := t.TempDir()
			if err := l.Write(context.Background(), out); err != nil {
				t.Fatal(err)
			}
			written, err := ReadTree(os.DirFS(filepath.Join(out, "lib/modules", release)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, m := range written.Modules {
				got = append(got, filepath.Base(m.Path))
				if m.Path != l.Written[i].Path || m.Size != l.Written[i].Size || m.Codec != l.Written[i].Codec {
					t.Errorf("%+v is not what is written: %+v", l.Written[i], m)
				}
				if m.Signed != (m.Name == "net_card") {
					t.Errorf("%s: signed is %v", m.Path, m.Signed)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			deps, err := os.ReadFile(filepath.Join(out, "lib/modules", release, "modules.dep"))
			if err != nil || !strings.Contains(string(deps), "kernel/net/"+test.want[1]+": kernel/"+test.want[0]+"\n") {
				t.Errorf("modules.dep: %q, %v", deps, err)
			}
		})
	}
}

func TestLayerStrip(t *testing.T) {
	module := compileDebug(t)
	root, dir := kernelDir(t)
	for name, content := range map[string][]byte{"debug.ko": module, "debug-signed.ko": sign(module, "signature"), "debug-packed.ko.xz": pack(t, "xz", module)} {
		if err := os.WriteFile(filepath.Join(dir, "kernel", name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	l := newLayer(t, root, "kernel/**")
	l.Strip = true
	out := t.TempDir()
	if err := l.Write(context.Background(), out); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.Unsigned, []string{"debug_signed"}) {
		t.Errorf("without signatures: %q", l.Unsigned)
	}
	written, err := ReadTree(os.DirFS(filepath.Join(out, "lib/modules", release)))
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range written.Modules {
		if m.Size != l.Written[i].Size || m.Signed != l.Written[i].Signed || m.Signed != (m.Name == "net_card") {
			t.Errorf("%s: %+v, written as %+v", m.Path, m, l.Written[i])
		}
		before := l.Selection.Modules[i]
		if stripped := m.Size < before.Size; stripped != strings.HasPrefix(m.Name, "debug") || m.Codec != before.Codec || m.Path != before.Path {
			t.Errorf("%s: %d bytes of %s with %d bytes", m.Path, m.Size, before.Path, before.Size)
		}
	}
	l.SignaturesForced = true
	if err := l.Write(context.Background(), t.TempDir()); !errors.Is(err, ErrSignature) {
		t.Errorf("signatures are forced: %v", err)
	}
}

// After an error, nothing is left.
func TestLayerErrors(t *testing.T) {
	root, dir := kernelDir(t)
	texts := map[string]string{}
	for _, test := range []struct {
		name   string
		change func(t *testing.T, l *Layer)
		want   error
	}{
		{"a changed module", func(t *testing.T, l *Layer) { l.Tree.Modules[0].Digest = strings.Repeat("0", 64) }, ErrChanged},
		{"changed modules", func(t *testing.T, l *Layer) {
			for _, m := range l.Tree.Modules {
				m.Digest = ""
			}
		}, ErrChanged},
		{"a module that has grown", func(t *testing.T, l *Layer) { l.Tree.Modules[0].Size-- }, ErrChanged},
		{"a module that is gone", func(t *testing.T, l *Layer) { l.Tree.Modules[0].Path = "kernel/gone.ko" }, os.ErrNotExist},
		{"a path that leads out", func(t *testing.T, l *Layer) { l.Tree.Modules[0].Path = "../../gone.ko" }, ErrCatalog},
		{"firmware that is gone", func(t *testing.T, l *Layer) {
			l.Firmware = []Firmware{{Name: "a", Source: filepath.Join(dir, "gone")}}
		}, os.ErrNotExist},
	} {
		l := newLayer(t, root, "net_card", "core")
		test.change(t, l)
		out := t.TempDir()
		err := l.Write(context.Background(), out)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if left := filesIn(t, out); len(left) > 0 {
			t.Errorf("%s: %q is left", test.name, left)
		}
		texts[test.name] = strings.ReplaceAll(err.Error(), dir, "DIR")
	}
	golden.Section(t, "messages.txt", texts)

	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := newLayer(t, root, "core").Write(context.Background(), out); err == nil || !slices.Equal(filesIn(t, out), []string{"file"}) {
		t.Errorf("a directory that is not empty: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := newLayer(t, root, "core").Write(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestCompression(t *testing.T) {
	for _, text := range []string{"keep", "none", "gzip", "gzip:9", "xz", "zstd:19"} {
		if c, err := ParseCompression(text); err != nil || string(c) != text {
			t.Errorf("%s: %q, %v", text, c, err)
		}
	}
	for _, text := range []string{"", "lz4", "bzip2", "keep:1", "none:1", "xz:3", "gzip:10"} {
		if _, err := ParseCompression(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	on := func(options ...string) func(string) string {
		return func(option string) string {
			if slices.Contains(options, option) {
				return "y"
			}
			return "n"
		}
	}
	for _, test := range []struct {
		compression Compression
		options     []string
		ok          bool
	}{
		{KeepCompression, nil, true},
		{Compression(codec.None), nil, true},
		{"xz", nil, false},
		{"xz", []string{"CONFIG_MODULE_COMPRESS_XZ"}, false},
		{"xz", []string{"CONFIG_MODULE_COMPRESS_XZ", "CONFIG_MODULE_DECOMPRESS"}, true},
		{"zstd:3", []string{"CONFIG_MODULE_COMPRESS_XZ", "CONFIG_MODULE_DECOMPRESS"}, false},
		{"zstd:3", []string{"CONFIG_MODULE_COMPRESS_ZSTD", "CONFIG_MODULE_DECOMPRESS"}, true},
		{"gzip", []string{"CONFIG_MODULE_COMPRESS_GZIP", "CONFIG_MODULE_DECOMPRESS"}, true},
	} {
		if err := test.compression.Check(on(test.options...)); errors.Is(err, ErrCompression) == test.ok {
			t.Errorf("%s with %q: %v", test.compression, test.options, err)
		}
	}
}

func TestFindKernel(t *testing.T) {
	root, dir := kernelDir(t)
	linked := t.TempDir()
	if err := errors.Join(os.Symlink(filepath.Join(root, "usr"), filepath.Join(linked, "usr")), os.Symlink("usr/lib", filepath.Join(linked, "lib"))); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, dir string
		want      Kernel
	}{
		{"a root", root, Kernel{release, dir, "usr/lib"}},
		{"a root whose lib is a link", linked, Kernel{release, filepath.Join(linked, "usr/lib/modules", release), "usr/lib"}},
		{"the release itself", dir, Kernel{release, dir, ""}},
	} {
		k, err := FindKernel(test.dir)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		tree, err := ReadTree(os.DirFS(k.Dir))
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Name(tree); err != nil || k != test.want {
			t.Errorf("%s: %+v, %v", test.name, k, err)
		}
	}
	two := t.TempDir()
	for _, name := range []string{"lib/modules/1", "usr/lib/modules/2", "empty", "none/lib/modules"} {
		if err := os.MkdirAll(filepath.Join(two, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	texts := map[string]string{}
	for _, test := range []struct{ name, dir string }{
		{"two kernels", two},
		{"an empty directory", filepath.Join(two, "empty")},
		{"no kernel", filepath.Join(two, "none")},
	} {
		_, err := FindKernel(test.dir)
		if !errors.Is(err, ErrKernel) {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		texts[test.name] = strings.ReplaceAll(err.Error(), two, "DIR")
	}
	if _, err := FindKernel(filepath.Join(two, "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	// A module of another kernel in the tree.
	other := ko{info: []string{"vermagic=6.1.0 SMP "}}.bytes()
	if err := os.WriteFile(filepath.Join(dir, "kernel/other.ko"), other, 0o666); err != nil {
		t.Fatal(err)
	}
	k, err := FindKernel(root)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := ReadTree(os.DirFS(k.Dir))
	if err != nil {
		t.Fatal(err)
	}
	if err = k.Name(tree); !errors.Is(err, ErrVermagic) {
		t.Errorf("a module of another kernel: %v", err)
	} else {
		texts["a module of another kernel"] = err.Error()
	}
	golden.Section(t, "messages.txt", texts)
}

func TestAdd(t *testing.T) {
	dir := t.TempDir()
	texts := map[string]string{}
	for _, test := range []struct {
		name     string
		files    map[string]ko
		want     error
		replaced []string
	}{
		{"a new module", map[string]ko{"driver.ko": {info: info("depends=core")}}, nil, nil},
		{"one that replaces the kernel's", map[string]ko{"net-card.ko": {info: info()}}, nil, []string{"kernel/net/net-card.ko"}},
		{"another kernel", map[string]ko{"driver.ko": {info: []string{"vermagic=6.1.0 SMP mod_unload "}}}, ErrVermagic, nil},
		{"another configuration", map[string]ko{"driver.ko": {info: []string{"vermagic=" + release + " SMP preempt mod_unload "}}}, ErrVermagic, nil},
		{"another architecture", map[string]ko{"driver.ko": {info: info(), machine: stdelf.EM_AARCH64}}, ErrArchitecture, nil},
		{"twice", map[string]ko{"a/driver-x.ko": {info: info()}, "b/driver_x.ko": {info: info()}}, ErrTree, nil},
		{"another name", map[string]ko{"driver.ko": {info: append(info(), "name=core_driver")}}, ErrName, nil},
		{"its name", map[string]ko{"core-driver.ko": {info: append(info(), "name=core_driver")}}, nil, nil},
		{"no module's name", map[string]ko{"driver.o": {info: info()}}, ErrNotModule, nil},
	} {
		root, _ := kernelDir(t)
		tree := newLayer(t, root, "core").Tree
		var files []string
		for name, module := range test.files {
			file := filepath.Join(dir, test.name, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, module.bytes(), 0o666)); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		slices.Sort(files)
		added, err := ReadAdded(files)
		var replaced []*Module
		if err == nil {
			replaced, err = tree.Add(added, release)
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
			continue
		}
		if err != nil {
			texts[test.name] = strings.ReplaceAll(err.Error(), filepath.Join(dir, test.name), "DIR")
			continue
		}
		var paths []string
		for _, m := range replaced {
			paths = append(paths, m.Path)
		}
		s, err := Choose(tree, Request{Words: []string{Name(files[0])}})
		if err != nil || !slices.Equal(paths, test.replaced) || !slices.ContainsFunc(s.Modules, func(m Chosen) bool { return m.Path == "updates/"+filepath.Base(files[0]) }) {
			t.Errorf("%s: %v, replaced %q", test.name, err, paths)
		}
	}
	golden.Section(t, "messages.txt", texts)
}

// depmod finds the same modules in a layer, and makes the same indexes.
func TestLayerIndexes(t *testing.T) {
	j := newJudge(t)
	root, _ := kernelDir(t)
	l := newLayer(t, root, "net_card", "packed")
	l.Compression = "zstd"
	out := t.TempDir()
	if err := l.Write(context.Background(), out); err != nil {
		t.Fatal(err)
	}
	want, text, err := j.run(out, release)
	if err != nil {
		t.Fatal(err, text)
	}
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(out, "lib/modules", release, name))
		if err != nil || string(got) != string(content) {
			t.Errorf("%s differs: %v", name, err)
		}
	}
}

// A module that was built with other headers has other checksums of the kernel's symbols, which the
// kernel's own modules have, too, and of those that the other modules export.
func TestAddVersions(t *testing.T) {
	symbol := func(name string, crc uint32) []Symbol { return []Symbol{{Name: name, CRC: crc}} }
	kernel := []*Module{
		{Name: "core", Path: "kernel/core.ko", Info: madeFor(vermagic), Exports: symbol("core", 1)},
		{Name: "card", Path: "kernel/card.ko", Info: madeFor(vermagic), Imports: symbol("printk", 2)},
	}
	for _, test := range []struct {
		name    string
		imports []Symbol
		want    error
	}{
		{"the same", append(symbol("core", 1), symbol("printk", 2)...), nil},
		{"no checksums", append(symbol("core", 0), symbol("printk", 0)...), nil},
		{"a symbol that no module has", symbol("kmalloc", 7), nil},
		{"the kernel's", symbol("printk", 3), ErrVersion},
		{"a module's", symbol("core", 3), ErrVersion},
		{"an added module's", symbol("first", 3), ErrVersion},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := &Tree{Modules: slices.Clone(kernel)}
			_, err := tree.Add([]Added{
				{&Module{Name: "first", Path: "updates/first.ko", Info: madeFor(vermagic), Exports: symbol("first", 4)}, "first.ko"},
				{&Module{Name: "second", Path: "updates/second.ko", Info: madeFor(vermagic), Imports: test.imports}, "second.ko"},
			}, release)
			if !errors.Is(err, test.want) || (err != nil) != (test.want != nil) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

func madeFor(vermagic string) Info { return Info{{"vermagic", vermagic}} }
