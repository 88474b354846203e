package fdt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// words returns big-endian numbers.
func words(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// file returns a device tree with a structure block and a block of names.
func file(version uint32, structure, names []byte) []byte {
	const header, reservations = 40, 16
	at := uint32(header + reservations)
	namesAt := at + uint32(len(structure))
	total := namesAt + uint32(len(names))
	b := words(magic, total, at, namesAt, header, version, 16, 0, uint32(len(names)), uint32(len(structure)))
	return append(append(append(b, words(0, 0, 0, 0)...), structure...), names...)
}

// small is the structure block of "/ { a = <1>; n@1 { b; }; };"
func small() []byte {
	return bytes.Join([][]byte{
		words(beginNode, 0), words(prop, 4, 0, 1), words(nop),
		words(beginNode), []byte("n@1\x00"), words(prop, 0, 2), words(endNode),
		words(endNode, end),
	}, nil)
}

func TestParse(t *testing.T) {
	want := &Node{
		Properties: []Property{{Name: "a", Value: words(1)}},
		Children:   []*Node{{Name: "n@1", Properties: []Property{{Name: "b", Value: []byte{}}}}},
	}
	for _, version := range []uint32{16, 17} {
		got, err := Parse(append(file(version, small(), []byte("a\x00b\x00")), "more"...))
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if diff := cmp.Diff(want, got.Root); diff != "" || got.Version != version {
			t.Errorf("version %d: (-want +got):\n%s", version, diff)
		}
	}
	if name := want.Children[0].BaseName(); name != "n" {
		t.Errorf("base name %q", name)
	}
}

func TestParseErrors(t *testing.T) {
	good := file(17, small(), []byte("a\x00b\x00"))
	with := func(field int, value uint32) []byte {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[4*field:], value)
		return b
	}
	names := []byte("a\x00")
	deep := bytes.Repeat(words(beginNode, 0), MaxDepth+1)
	messages := map[string]string{}
	for name, test := range map[string]struct {
		data []byte
		want error
	}{
		"empty":             {nil, ErrNotDeviceTree},
		"ELF":               {[]byte("\x7fELF\x02\x01\x01\x00"), ErrNotDeviceTree},
		"header ends":       {good[:20], ErrDamaged},
		"version 3":         {with(5, 3), ErrDamaged},
		"compatible 18":     {with(6, 18), ErrDamaged},
		"total too large":   {with(1, 1<<31), ErrDamaged},
		"structure outside": {with(2, 0xfffffff0), ErrDamaged},
		"structure large":   {with(9, 0xffffffff), ErrDamaged},
		"names outside":     {with(3, 0xffffffff), ErrDamaged},
		"no end":            {file(17, words(beginNode, 0, endNode), names), ErrDamaged},
		"no nodes":          {file(17, words(end), names), ErrDamaged},
		"open node":         {file(17, words(beginNode, 0, end), names), ErrDamaged},
		"two roots":         {file(17, words(beginNode, 0, endNode, beginNode, 0, endNode, end), names), ErrDamaged},
		"end of nothing":    {file(17, words(endNode), names), ErrDamaged},
		"stray property":    {file(17, words(prop, 0, 0, end), names), ErrDamaged},
		"long property":     {file(17, words(beginNode, 0, prop, 0xffffffff, 0, endNode, end), names), ErrDamaged},
		"cut property":      {file(17, words(beginNode, 0, prop, 0), names), ErrDamaged},
		"property name":     {file(17, words(beginNode, 0, prop, 0, 2, endNode, end), names), ErrDamaged},
		"open name":         {file(17, words(beginNode, 0, prop, 0, 0, endNode, end), []byte("a")), ErrDamaged},
		"open node name":    {file(17, words(beginNode, 0x61616161), names), ErrDamaged},
		"unknown token":     {file(17, words(beginNode, 0, 7), names), ErrDamaged},
		"deep":              {file(17, deep, names), ErrDamaged},
	} {
		_, err := Parse(test.data)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
		messages[name] = fmt.Sprint(err)
	}
	golden.Messages(t, "TestParseErrors.txt", messages)
}

func TestStrings(t *testing.T) {
	n := &Node{Properties: []Property{
		{Name: "compatible", Value: []byte("ti,tmp102\x00national,lm75\x00")},
		{Name: "open", Value: []byte("a\x00b")},
		{Name: "reg", Value: words(7, 8)},
	}}
	if diff := cmp.Diff([]string{"ti,tmp102", "national,lm75"}, n.Strings("compatible")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a"}, n.Strings("open")); diff != "" {
		t.Error(diff)
	}
	if v, ok := n.Uint32("reg"); v != 7 || !ok {
		t.Errorf("reg is %d, %v", v, ok)
	}
	if _, ok := n.Uint32("open"); ok {
		t.Error("a number of three bytes")
	}
}

// example is a tree with what dtc can put into one.
const example = `/dts-v1/;
/memreserve/ 0x10000000 0x4000;
/ {
	#address-cells = <1>;
	#size-cells = <1>;
	compatible = "maker,board", "maker,chip";
	empty;
	bytes = [01 02 03];
	chosen { bootargs = "quiet"; };
	soc: bus@0 {
		compatible = "simple-bus";
		ranges = <0 0x40000000 0x1000>;
		serial@100 { reg = <0x100 0x10>; status = "disabled"; };
		serial@200 { reg = <0x200 0x10>; clocks = <&clock>; };
	};
	clock: clock { compatible = "fixed-clock"; };
};
`

// dtc's own reading of a file is the reference: what we read of it, written as source, compiles
// to the same file. The files are those that the test makes and those that FDT_FILES matches.
func TestDTC(t *testing.T) {
	dtc, err := exec.LookPath("dtc")
	if err != nil {
		t.Skip("the device tree compiler dtc is not on PATH: install device-tree-compiler")
	}
	run := func(stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(dtc, append([]string{"-q"}, args...)...)
		cmd.Stdin = bytes.NewReader(stdin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("dtc %s: %v: %s", strings.Join(args, " "), err, &stderr)
		}
		return out
	}
	files := map[string][]byte{}
	for _, version := range []string{"16", "17"} {
		files["source, version "+version] = run([]byte(example), "-I", "dts", "-O", "dtb", "-V", version, "-@", "-")
	}
	matches, err := filepath.Glob(os.Getenv("FDT_FILES"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range matches {
		if files[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range files {
		tree, err := Parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := run(data, "-I", "dtb", "-O", "dts", "-")
		var text strings.Builder
		text.WriteString("/dts-v1/;\n")
		for line := range strings.Lines(string(want)) {
			if strings.HasPrefix(line, "/memreserve/") {
				text.WriteString(line)
			}
		}
		print(&text, tree.Root)
		got := run(run([]byte(text.String()), "-I", "dts", "-O", "dtb", "-"), "-I", "dtb", "-O", "dts", "-")
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
			t.Errorf("%s: (-dtc +ours):\n%s", name, diff)
		}
	}
}

// print writes a node as source whose values are all bytes.
func print(w *strings.Builder, n *Node) {
	name := n.Name
	if name == "" {
		name = "/"
	}
	w.WriteString(name + " {\n")
	for _, p := range n.Properties {
		if len(p.Value) == 0 {
			w.WriteString(p.Name + ";\n")
			continue
		}
		fmt.Fprintf(w, "%s = [%x];\n", p.Name, p.Value)
	}
	for _, child := range n.Children {
		print(w, child)
	}
	w.WriteString("};\n")
}

func TestIsOverlay(t *testing.T) {
	overlay := &Tree{Root: &Node{Children: []*Node{{Name: "fragment@0", Children: []*Node{{Name: "__overlay__"}}}}}}
	tree := &Tree{Root: &Node{Children: []*Node{{Name: "soc"}}}}
	if !overlay.IsOverlay() || tree.IsOverlay() {
		t.Errorf("overlay %v, tree %v", overlay.IsOverlay(), tree.IsOverlay())
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file(17, small(), []byte("a\x00b\x00")))
	f.Add(file(16, small(), []byte("a\x00b\x00")))
	f.Add(file(17, bytes.Repeat(words(beginNode, 0), MaxDepth), nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrNotDeviceTree) && !errors.Is(err, ErrDamaged) {
				t.Errorf("error without a class: %v", err)
			}
			return
		}
		var size func(*Node) int
		size = func(n *Node) int {
			total := len(n.Name)
			for _, p := range n.Properties {
				total += len(p.Value)
			}
			for _, child := range n.Children {
				total += size(child)
			}
			return total
		}
		if got := size(tree.Root); got > len(data) {
			t.Errorf("%d bytes of names and values in a file of %d", got, len(data))
		}
		tree.IsOverlay()
	})
}
