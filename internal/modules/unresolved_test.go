package modules

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const systemMap = "ffffffff81000000 T _text\nffffffff82000000 R __ksymtab_printk\n0000000000000000 r __ksymtab_module_layout\n"

func TestFindUnresolved(t *testing.T) {
	files := map[string][]byte{
		"a.ko":     ko{exports: []string{"a"}, imports: []string{"printk", "gone", "?weak", "__this_module", ".dotted"}}.bytes(),
		"b.ko":     ko{imports: []string{"a", "_text", ".printk"}}.bytes(),
		OrderFile:  []byte("b.ko\na.ko\n"),
		"map.text": []byte(systemMap),
	}
	j := newJudge(t)
	base := t.TempDir()
	dir := write(t, base, files)
	_, text, err := j.run(base, release, "-e", "-F", filepath.Join(dir, "map.text"))
	if err != nil {
		t.Fatal(err, text)
	}
	var want []string
	for _, found := range regexp.MustCompile(`(\w+\.ko) needs unknown symbol (\S+)`).FindAllStringSubmatch(text, -1) {
		want = append(want, found[1]+" "+found[2])
	}
	tree, err := ReadTree(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := ReadSystemMap(strings.NewReader(systemMap))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range FindUnresolved(tree.Modules, kernel) {
		got = append(got, u.Module.Path+" "+u.Symbol)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 3 {
		t.Error(diff, got)
	}
}

func TestBadSystemMaps(t *testing.T) {
	for name, text := range map[string]string{
		"empty":     "",
		"Debian's":  "ffffffffffffffff B The real System.map is in the linux-image-dbg package\n",
		"text":      "text\n",
		"long line": "0 T " + strings.Repeat("x", 1<<17) + "\n",
	} {
		if symbols, err := ReadSystemMap(strings.NewReader(text)); !errors.Is(err, ErrSystemMap) || symbols != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSystemMap(f *testing.F) {
	f.Add(systemMap)
	f.Fuzz(func(t *testing.T, text string) {
		if symbols, err := ReadSystemMap(strings.NewReader(text)); (len(symbols) == 0) != errors.Is(err, ErrSystemMap) {
			t.Error(symbols, err)
		}
	})
}
