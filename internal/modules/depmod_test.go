package modules

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

const release = "7.2.12-test"

// judge is depmod of kmod, on directories that a test makes.
type judge struct {
	t      testing.TB
	depmod string
	config string // an empty directory: the configuration of this machine does not matter
}

func newJudge(t testing.TB) judge {
	t.Helper()
	return judge{t, kmod(t, "depmod"), t.TempDir()}
}

// kmod returns the path of a program of kmod 34. Distributions have it in /usr/sbin, which is not
// always on PATH.
func kmod(t testing.TB, name string) string {
	t.Helper()
	for _, name := range []string{name, "/usr/sbin/" + name} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	t.Skipf("needs %s of kmod 34 on PATH or in /usr/sbin", name)
	return ""
}

// run returns the indexes that depmod makes of base/lib/modules/release, by their names, and what
// it prints. The error is depmod's.
func (j judge) run(base, release string, args ...string) (map[string][]byte, string, error) {
	j.t.Helper()
	out := j.t.TempDir()
	args = append([]string{"-C", j.config, "-b", base, "-m", "/lib/modules", "-o", out}, append(args, release)...)
	text, err := exec.Command(j.depmod, args...).CombinedOutput()
	indexes := map[string][]byte{}
	files, _ := filepath.Glob(filepath.Join(out, "lib/modules", release, "*"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			j.t.Fatal(err)
		}
		indexes[filepath.Base(file)] = content
	}
	return indexes, string(text), err
}

// compare compares our indexes with depmod's.
func (j judge) compare(want map[string][]byte, modules []*Module, kernel KernelFiles) {
	j.t.Helper()
	var names []string
	err := WriteIndexes(modules, kernel, func(name string, content []byte) error {
		names = append(names, name)
		if !bytes.Equal(content, want[name]) {
			if strings.HasSuffix(name, ".bin") {
				j.t.Errorf("%s differs: %d bytes, want %d", name, len(content), len(want[name]))
			} else {
				j.t.Errorf("%s: %s", name, cmp.Diff(strings.Split(string(want[name]), "\n"), strings.Split(string(content), "\n")))
			}
		}
		return nil
	})
	if err != nil {
		j.t.Error(err)
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), names); diff != "" {
		j.t.Error(diff)
	}
}

// write writes files below base/lib/modules/release.
func write(t testing.TB, base string, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(base, "lib/modules", release)
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, content, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// generate returns the files of a tree that depend on the seed only. Its modules need only those
// that are named before them.
func generate(t testing.TB, seed uint64) map[string][]byte {
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	files := map[string][]byte{}
	var order, builtin, builtinInfo, exported []string
	count := 1 + r.IntN(40)
	for i := range count {
		name := fmt.Sprintf("%s%c%s%d", pick("a", "snd", "usb-net", "x_y"), "-_"[r.IntN(2)], pick("", "core", "z-"), i)
		k := ko{}
		for range r.IntN(6) {
			k.info = append(k.info, "alias="+pick(
				"pci:v0000"+fmt.Sprintf("%04X", r.IntN(20))+"d*sv*sd*bc*sc*i*", "usb:v[0-9a-f]p-x", "fs-"+name, "x-y[a-b]-c[d]", "cpu:type:x86,ven*", "same-alias", "",
				"devname:"+name, fmt.Sprintf("char-major-%d-%d", r.IntN(300), r.IntN(300)), fmt.Sprintf("block-major-%d-%d", r.IntN(300), r.IntN(300)),
				"char-major-10-*", "char-major-10", "block-major-7-2trailing", "devname:net/"+name))
		}
		if r.IntN(4) == 0 {
			k.info = append(k.info, "softdep=pre: "+pick("a", "b c")+" post: d", "weakdep=e f", "softdep=post: q")
		}
		// A symbol that two modules export belongs to the last in depmod's order. One that is
		// needed has one owner, or there could be a cycle.
		unique := "owned_by_" + fmt.Sprint(i)
		symbols := []string{unique}
		for range r.IntN(4) {
			symbols = append(symbols, pick("one_", "two_", "a_very_long_name_of_a_symbol_")+fmt.Sprint(r.IntN(100)))
		}
		if r.IntN(3) == 0 {
			k.strings = symbols
		} else {
			k.exports = symbols
		}
		for range r.IntN(8) {
			symbol := pick("printk", "kfree", "unknown")
			if len(exported) > 0 && r.IntN(3) > 0 {
				symbol = pick("", "", "", "?", ".") + exported[r.IntN(len(exported))]
			}
			if !slices.Contains(k.imports, symbol) {
				k.imports = append(k.imports, symbol)
			}
		}
		exported = append(exported, unique)
		dir := "kernel/" + pick("", "drivers/", "drivers/net/", "fs/")
		if r.IntN(5) == 0 {
			order = append(order, dir+"gone-"+name+".ko")
		}
		if r.IntN(6) > 0 {
			order = append(order, dir+name+".ko")
		}
		switch content, file := k.bytes(), dir+name+".ko"; r.IntN(3) {
		case 0:
			files[file] = content
		case 1:
			files[file+".xz"] = compress(t, "xz", content)
		case 2:
			files[file+".zst"] = compress(t, "zstd", content)
		}
		if r.IntN(5) == 0 {
			files["updates/"+name+".ko"] = k.bytes()
			delete(files, dir+name+".ko")
			if r.IntN(2) == 0 {
				order = append(order, "updates/"+name+".ko")
			}
		}
		if r.IntN(3) == 0 {
			builtin = append(builtin, "kernel/lib/"+pick("b-", "c")+fmt.Sprint(i)+".ko")
			builtinInfo = append(builtinInfo, "b.license=GPL", "c.alias="+pick("", "x-y", "same", "p[-]-"), fmt.Sprintf("b_%d.alias=of:N*T*C%d", i, r.IntN(5)))
		}
	}
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for name, lines := range map[string][]string{OrderFile: order, BuiltinFile: builtin} {
		if r.IntN(10) > 0 {
			files[name] = []byte(strings.Join(append(lines, ""), "\n"))
		}
	}
	if r.IntN(10) > 0 {
		files[BuiltinInfoFile] = []byte(strings.Join(append(builtinInfo, ""), "\x00"))
	}
	return files
}

func TestGeneratedTrees(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			j := newJudge(t)
			base := t.TempDir()
			dir := write(t, base, generate(t, seed))
			want, text, err := j.run(base, release)
			if err != nil {
				t.Fatal(err, text)
			}
			tree, err := ReadTree(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			j.compare(want, tree.Modules, tree.KernelFiles)
		})
	}
}

func TestFilter(t *testing.T) {
	k := KernelFiles{Order: []byte("a/x.ko\nb/y-z.ko\nc.ko\n"), Builtin: []byte("b"), BuiltinInfo: []byte("i")}
	got := k.Filter([]*Module{{Name: "y_z", Path: "b/y-z.ko.xz"}, {Name: "c", Path: "d/c.ko"}})
	if diff := cmp.Diff(KernelFiles{Order: []byte("b/y-z.ko\n"), Builtin: []byte("b"), BuiltinInfo: []byte("i")}, got); diff != "" {
		t.Error(diff)
	}
}

// mustParse returns a module that a test makes.
func mustParse(t *testing.T, name string, k ko) *Module {
	t.Helper()
	m, err := Parse(name, k.bytes())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCycles(t *testing.T) {
	needs := func(name string, imports ...string) ko { return ko{exports: []string{name}, imports: imports} }
	for name, c := range map[string]struct {
		modules map[string]ko
		want    []string
	}{
		"two":       {map[string]ko{"a.ko": needs("a", "b"), "b.ko": needs("b", "a")}, []string{"a", "b"}},
		"in itself": {map[string]ko{"a.ko": needs("a", "a"), "b.ko": needs("b", "a")}, []string{"a"}},
		"after and before others": {map[string]ko{
			"a.ko": needs("a", "b"), "b.ko": needs("b", "c", "x"), "c.ko": needs("c", "y", "d"), "d.ko": needs("d", "b", "z"),
			"x.ko": needs("x"), "y.ko": needs("y", "z"), "z.ko": needs("z"),
		}, []string{"b", "c", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			var modules []*Module
			var order strings.Builder
			files := map[string][]byte{}
			for _, file := range slices.Sorted(maps.Keys(c.modules)) {
				modules = append(modules, mustParse(t, file, c.modules[file]))
				files[file] = c.modules[file].bytes()
				order.WriteString(file + "\n")
			}
			kernel := KernelFiles{Order: []byte(order.String())}
			files[OrderFile] = kernel.Order
			err := WriteIndexes(modules, kernel, func(name string, content []byte) error {
				t.Errorf("%s is written", name)
				return nil
			})
			cycle, ok := err.(*CycleError)
			if !ok || !errors.Is(err, ErrCycle) || !slices.Equal(cycle.Names, c.want) {
				t.Errorf("%v: want %v", err, c.want)
			}
			j := newJudge(t)
			base := t.TempDir()
			write(t, base, files)
			indexes, text, err := j.run(base, release)
			if err == nil || len(indexes) > 0 || !strings.Contains(text, "Cycle detected: ") {
				t.Errorf("depmod: %v, %d indexes: %s", err, len(indexes), text)
			}
			if !strings.Contains(text, fmt.Sprintf("Found %d modules in dependency cycles", len(c.want))) {
				t.Errorf("depmod: %s: want %v", text, c.want)
			}
		})
	}
}

func TestTextsThatIndexesCannotHold(t *testing.T) {
	texts := map[string]string{}
	for name, m := range map[string]*Module{
		"alias with a line feed":    mustParse(t, "a.ko", ko{info: []string{"alias=a\nalias b"}}),
		"alias that is not ASCII":   mustParse(t, "a.ko", ko{info: []string{"alias=caf\u00e9"}}),
		"bracket without end":       mustParse(t, "a.ko", ko{info: []string{"alias=a[b"}}),
		"bracket without beginning": mustParse(t, "a.ko", ko{info: []string{"alias=a]b"}}),
		"long alias":                mustParse(t, "a.ko", ko{info: []string{"alias=" + strings.Repeat("x", maxText)}}),
		"softdep with a line feed":  mustParse(t, "a.ko", ko{info: []string{"softdep=pre: a\nsoftdep b"}}),
		"symbol":                    mustParse(t, "a.ko", ko{exports: []string{"a b\x01"}}),
		"path with a space":         mustParse(t, "a b/c.ko", ko{}),
		"path with a line feed":     mustParse(t, "a\nb/c.ko", ko{}),
		"path with a colon":         mustParse(t, "a:b/c.ko", ko{}),
	} {
		err := WriteIndexes([]*Module{m}, KernelFiles{}, func(string, []byte) error { return nil })
		if !errors.Is(err, ErrText) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		texts[name] = err.Error()
	}
	texts["cycle"] = (&CycleError{[]string{"a", "b", "c"}}).Error()
	err := WriteIndexes([]*Module{{Name: "a", Path: "a.ko"}, {Name: "a", Path: "b/a.ko"}}, KernelFiles{}, nil)
	if !errors.Is(err, ErrTree) {
		t.Error(err)
	}
	texts["two of a name"] = err.Error()
	golden.Section(t, "messages.txt", texts)
}

func TestWriteError(t *testing.T) {
	full := errors.New("full")
	calls := 0
	err := WriteIndexes(nil, KernelFiles{}, func(string, []byte) error {
		calls++
		return full
	})
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}
