package modules

import (
	"bytes"
	stdelf "debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// compress returns content compressed with a codec.
func compress(t testing.TB, name string, content []byte) []byte {
	t.Helper()
	compression, err := codec.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := compression.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// virtioNet is a module with everything that the package reads.
var virtioNet = ko{
	info: []string{
		"", "license=GPL", "alias=virtio:d00000001v*", "alias=of:N*T*Cvirtio,net-dev", "firmware=a.bin", "firmware=b-*.bin",
		"depends=net_failover,virtio-ring", "softdep=pre: crc32c aead post: foo", "softdep=post: bar-a", "weakdep=one two",
		"vermagic=7.2.12 SMP preempt mod_unload modversions ", "", "", "intree", "parm=a=b:text",
	},
	exports: []string{"virtnet_a", "virtnet_b"},
	strings: []string{"ignored"},
	imports: []string{"printk", "?maybe", "net_failover_create"},
}

func TestParse(t *testing.T) {
	for name, k := range map[string]ko{
		"64 bits, little-endian": {},
		"64 bits, big-endian":    {machine: stdelf.EM_S390, big: true},
		"32 bits, little-endian": {machine: stdelf.EM_ARM, short: true},
		"32 bits, big-endian":    {machine: stdelf.EM_MIPS, short: true, big: true},
	} {
		t.Run(name, func(t *testing.T) {
			want := elf.Arch{Machine: stdelf.EM_X86_64, Class: stdelf.ELFCLASS64, Data: stdelf.ELFDATA2LSB}
			if k.machine != 0 {
				want.Machine = k.machine
			}
			if k.short {
				want.Class = stdelf.ELFCLASS32
			}
			if k.big {
				want.Data = stdelf.ELFDATA2MSB
			}
			module := virtioNet
			module.machine, module.short, module.big = k.machine, k.short, k.big
			content := module.bytes()
			m, err := Parse("kernel/drivers/net/virtio-net.ko", content)
			if err != nil {
				t.Fatal(err)
			}
			pre, post := m.Info.Softdeps()
			got := []any{m.Name, m.Arch, m.Size, m.Signed, m.Info.Aliases(), m.Info.Firmware(), m.Info.Depends(), pre, post,
				m.Info.Weakdeps(), m.Info.Vermagic(), m.Info.Values("intree"), m.Info.Values("parm"), m.Exports, m.Imports}
			if diff := cmp.Diff([]any{"virtio_net", want, int64(len(content)), false,
				[]string{"virtio:d00000001v*", "of:N*T*Cvirtio,net-dev"}, []string{"a.bin", "b-*.bin"},
				[]string{"net_failover", "virtio_ring"}, []string{"crc32c", "aead"}, []string{"foo", "bar-a"},
				[]string{"one", "two"}, "7.2.12 SMP preempt mod_unload modversions ", []string{""}, []string{"a=b:text"},
				[]Symbol{{Name: "virtnet_a", CRC: crcOf("virtnet_a")}, {Name: "virtnet_b", CRC: crcOf("virtnet_b")}},
				[]Symbol{{Name: "printk", CRC: crcOf("printk")}, {Name: "maybe", CRC: crcOf("maybe"), Weak: true},
					{Name: "net_failover_create", CRC: crcOf("net_failover_create")}, {Name: "module_layout", CRC: crcOf("module_layout")}},
			}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExportsWithoutChecksums(t *testing.T) {
	m, err := Parse("a.ko", ko{strings: []string{"one", "", "two"}}.bytes())
	if diff := cmp.Diff([]Symbol{{Name: "one"}, {Name: "two"}}, m.Exports); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestReadCompressed(t *testing.T) {
	for suffix, name := range map[string]string{".ko": "", ".ko.gz": "gzip", ".ko.xz": "xz", ".ko.zst": "zstd"} {
		content := signature.Append(virtioNet.bytes(), []byte("signature"))
		if name != "" {
			content = compress(t, name, content)
		}
		m, err := Read("kernel/virtio-net"+suffix, bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if m.Codec != name || m.Size != int64(len(content)) || !m.Signed || m.Name != "virtio_net" || len(m.Exports) != 2 {
			t.Errorf("%s: %+v", suffix, m)
		}
	}
}

func TestName(t *testing.T) {
	for file, want := range map[string]string{"a/b-c.ko": "b_c", "b-c.ko.xz": "b_c", "x_y": "x_y", "a.b.ko": "a"} {
		if got := Name(file); got != want {
			t.Errorf("Name(%q) = %q, want %q", file, got, want)
		}
	}
	for file, want := range map[string]bool{
		"a/b.ko": true, "b.ko.gz": true, "b.ko.xz": true, "b.ko.zst": true,
		"b.ko.lz4": false, "a/.ko": false, ".ko.xz": false, "ko": false, "b.o": false, "modules.dep": false,
	} {
		if IsModule(file) != want {
			t.Errorf("IsModule(%q) = %v", file, !want)
		}
	}
}

func TestBadModules(t *testing.T) {
	good := virtioNet.bytes()
	changed := func(at int, value byte) []byte {
		b := bytes.Clone(good)
		b[at] = value
		return b
	}
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{
		"empty":             {nil, ErrNotModule},
		"text":              {[]byte("this is not an ELF file at all"), ErrNotModule},
		"program":           {changed(16, byte(stdelf.ET_EXEC)), ErrNotModule},
		"no .modinfo":       {bytes.Replace(good, []byte(".modinfo"), []byte(".nomodin"), 1), ErrNotModule},
		"class":             {changed(4, 9), ErrDamaged},
		"byte order":        {changed(5, 9), ErrDamaged},
		"header cut":        {good[:40], ErrDamaged},
		"cut":               {good[:len(good)-1], ErrDamaged},
		"section size":      {changed(58, 63), ErrDamaged},
		"no section names":  {changed(62, 0), ErrDamaged},
		"far section names": {changed(62, 200), ErrDamaged},
		"xz cut":            {compress(t, "xz", good)[:200], ErrDamaged},
		"gzip cut":          {compress(t, "gzip", good)[:200], ErrDamaged},
		"zstd cut":          {compress(t, "zstd", good)[:100], ErrDamaged},
		"compressed text":   {compress(t, "xz", []byte("this is not an ELF file at all")), ErrNotModule},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Read("a.ko", bytes.NewReader(c.content))
			if !errors.Is(err, c.want) || m != nil || !strings.HasPrefix(err.Error(), "a.ko: ") {
				t.Errorf("%v, %v: want %v", m, err, c.want)
			}
		})
	}
	for n := range len(good) {
		if _, err := Parse("a.ko", good[:n]); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotModule) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
}

// testTree is a small tree with built-in modules.
func testTree() fstest.MapFS {
	file := func(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }
	module := func(k ko) *fstest.MapFile { return &fstest.MapFile{Data: k.bytes()} }
	return fstest.MapFS{
		"modules.order":            file("kernel/b.ko\nkernel/gone.ko\nkernel/a.ko\n"),
		"modules.builtin":          file("kernel/drivers/virtio/virtio-pci.ko\nkernel/fs/ext4/ext4.ko\n"),
		"modules.builtin.modinfo":  file("workqueue.parm=x\x00ext4.license=GPL\x00ext4.alias=fs-ext4\x00virtio_pci.alias=pci:v00001AF4d*\x00"),
		"kernel/a.ko":              module(ko{info: []string{"alias=x"}, exports: []string{"a_one"}, imports: []string{"printk"}}),
		"kernel/b.ko":              module(ko{info: []string{"parm=two\nlines\\"}, imports: []string{"a_one", "?b"}}),
		"kernel/net/c-d.ko":        module(ko{imports: []string{"a_one"}}),
		"updates/a.ko":             module(ko{info: []string{"updated="}, exports: []string{"a_one"}}),
		"build/kernel/z.ko":        file("ignored"),
		"kernel/net/source/z.ko":   file("ignored"),
		"kernel/net/readme":        file("ignored"),
		"modules.dep":              file("ignored"),
		"kernel/net/e/f.ko.sha256": file("ignored"),
	}
}

func paths(modules []*Module) []string {
	var list []string
	for _, m := range modules {
		list = append(list, m.Path)
	}
	return list
}

func TestReadTree(t *testing.T) {
	tree, err := ReadTree(testTree())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"kernel/b.ko", "kernel/net/c-d.ko", "updates/a.ko"}, paths(tree.Modules)); diff != "" {
		t.Error(diff)
	}
	var builtins []string
	for _, m := range tree.Builtins {
		builtins = append(builtins, m.Name+" "+m.Path+" "+strings.Join(m.Info.Aliases(), ","))
		if !m.Builtin {
			t.Errorf("%s is not built in", m.Name)
		}
	}
	if diff := cmp.Diff([]string{"virtio_pci kernel/drivers/virtio/virtio-pci.ko pci:v00001AF4d*", "ext4 kernel/fs/ext4/ext4.ko fs-ext4", "workqueue  "}, builtins); diff != "" {
		t.Error(diff)
	}
	want := Listed{Missing: []string{"kernel/gone.ko", "kernel/a.ko"}, Unlisted: []string{"kernel/net/c-d.ko", "updates/a.ko"}}
	if diff := cmp.Diff(want, tree.Listed()); diff != "" {
		t.Error(diff)
	}
}

func TestReadTreeLinks(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{"real/a.ko": virtioNet.bytes(), "tree/modules.order": []byte("a.ko\n")} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777), os.WriteFile(filepath.Join(dir, name), content, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"tree/a.ko": "../real/a.ko", "tree/build": "gone"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	tree, err := ReadTree(os.DirFS(filepath.Join(dir, "tree")))
	if err != nil || !slices.Equal(paths(tree.Modules), []string{"a.ko"}) {
		t.Fatal(tree, err)
	}
	if err := os.Symlink(".", filepath.Join(dir, "tree", "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTree(os.DirFS(filepath.Join(dir, "tree"))); !errors.Is(err, ErrTree) {
		t.Errorf("a loop of links: %v", err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "tree", "loop")), os.Symlink("gone.ko", filepath.Join(dir, "tree", "b.ko"))); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTree(os.DirFS(filepath.Join(dir, "tree"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to nothing: %v", err)
	}
}

func TestBadTrees(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		content []byte
		want    error
		says    []string
	}{
		"two modules of a name":     {"kernel/net/b.ko", ko{}.bytes(), ErrTree, []string{"kernel/b.ko", "kernel/net/b.ko"}},
		"two updates of a name":     {"updates/x/a.ko", ko{}.bytes(), ErrTree, []string{"updates/a.ko", "updates/x/a.ko"}},
		"another architecture":      {"kernel/z.ko", ko{machine: stdelf.EM_AARCH64}.bytes(), ErrArchitecture, []string{"kernel/z.ko", "arm64", "x86_64"}},
		"damaged module":            {"kernel/z.ko", ko{}.bytes()[:100], ErrDamaged, []string{"kernel/z.ko"}},
		"not a module":              {"kernel/z.ko", []byte("text"), ErrNotModule, []string{"kernel/z.ko"}},
		"modules.order cut":         {"modules.order", []byte("kernel/a.ko\nkern"), ErrTree, []string{"modules.order"}},
		"modules.builtin cut":       {"modules.builtin", []byte("kernel/a.ko\nkern"), ErrTree, []string{"modules.builtin"}},
		"modules.builtin text":      {"modules.builtin", []byte("kernel/a.ko\n# text\n"), ErrTree, []string{"modules.builtin", "line 2"}},
		"modules.builtin.modinfo":   {"modules.builtin.modinfo", []byte("a.b=c\x00a.b\x00"), ErrTree, []string{"modules.builtin.modinfo", "text 2"}},
		"modules.builtin.modinfo 2": {"modules.builtin.modinfo", []byte("a.b=c\x00a.b=d"), ErrTree, []string{"modules.builtin.modinfo"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := testTree()
			files[c.file] = &fstest.MapFile{Data: c.content}
			_, err := ReadTree(files)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v: want %v", err, c.want)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v does not have %q", err, text)
				}
			}
		})
	}
}

// TestModinfo compares what the package reads with what modinfo prints.
func TestModinfo(t *testing.T) {
	modinfo := kmod(t, "modinfo")
	name := filepath.Join(t.TempDir(), "virtio-net.ko")
	if err := os.WriteFile(name, virtioNet.bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(modinfo, "-0", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(name, virtioNet.bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for line := range strings.SplitSeq(string(out), "\x00") {
		if key, value, ok := strings.Cut(line, "="); ok && key != "filename" && key != "name" && !strings.HasPrefix(key, "parm") {
			want[key] = append(want[key], value)
		}
	}
	got := map[string][]string{}
	for _, f := range m.Info {
		if f.Key != "parm" {
			got[f.Key] = append(got[f.Key], f.Value)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(virtioNet.bytes())
	f.Add(ko{machine: stdelf.EM_MIPS, short: true, big: true, imports: []string{"a"}}.bytes())
	f.Add(compress(f, "xz", virtioNet.bytes()))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := Parse("a.ko", data); (m == nil) == (err == nil) {
			t.Error(m, err)
		}
		if _, err := Read("a.ko", bytes.NewReader(data)); err != nil && !errors.Is(err, ErrNotModule) && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}

func FuzzInfo(f *testing.F) {
	f.Add("a=b\x00\x00softdep=pre: a post: b\x00depends=a,,b-c\x00weakdep= x  y")
	f.Fuzz(func(t *testing.T, section string) {
		info := parseInfo(section)
		size := 0
		for _, field := range info {
			size += len(field.Key) + len(field.Value)
			if strings.ContainsAny(field.Key, "=\x00") || strings.Contains(field.Value, "\x00") {
				t.Errorf("%+v", field)
			}
		}
		if size > len(section) {
			t.Errorf("%d bytes of %d", size, len(section))
		}
		pre, post := info.Softdeps()
		for _, name := range slices.Concat(pre, post, info.Weakdeps()) {
			if name == "" || strings.ContainsAny(name, " \x00") {
				t.Errorf("%q", name)
			}
		}
	})
}

func TestCheckCatalog(t *testing.T) {
	root, dir := kernelDir(t)
	kernel, err := FindKernel(root)
	if err != nil {
		t.Fatal(err)
	}
	read := func() *Tree {
		tree, err := ReadTree(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	tree := read()
	if err := kernel.CheckCatalog(tree); err != nil {
		t.Error(err)
	}
	other := kernel
	other.Release += "-other"
	if err := other.CheckCatalog(tree); !errors.Is(err, ErrCatalog) {
		t.Errorf("another release: %v", err)
	}
	tree.Order = append(tree.Order, "kernel/more.ko\n"...)
	if err := kernel.CheckCatalog(tree); !errors.Is(err, ErrCatalog) {
		t.Errorf("another order: %v", err)
	}
	tree = read()
	tree.BuiltinInfo = nil
	if err := kernel.CheckCatalog(tree); !errors.Is(err, ErrCatalog) {
		t.Errorf("a file less: %v", err)
	}
}
