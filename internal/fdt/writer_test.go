package fdt

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// compile returns what dtc makes of a source.
func compile(t *testing.T, source string, args ...string) []byte {
	t.Helper()
	dtc, err := exec.LookPath("dtc")
	if err != nil {
		t.Skip("the device tree compiler dtc is not on PATH: install device-tree-compiler")
	}
	cmd := exec.Command(dtc, append([]string{"-q", "-I", "dts", "-O", "dtb"}, append(args, "-")...)...)
	cmd.Stdin = strings.NewReader(source)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWriteDTC compares with dtc: what was compiled is the same after reading and writing, and so is
// what has its names from the writer.
func TestWriteDTC(t *testing.T) {
	for name, args := range map[string][]string{"plain": nil, "symbols": {"-@"}, "boot CPU": {"-b", "3"}} {
		want := compile(t, example, args...)
		for _, keep := range []bool{true, false} {
			tree, err := Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			if !keep {
				tree.Strings = nil
			}
			got, err := tree.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s, names kept: %v: %d bytes, and dtc's %d are others", name, keep, len(got), len(want))
			}
		}
	}
}

// TestSet compares with fdtput, which changes trees with libfdt.
func TestSet(t *testing.T) {
	put, err := exec.LookPath("fdtput")
	if err != nil {
		t.Skip("fdtput is not on PATH: install device-tree-compiler")
	}
	data := compile(t, example)
	name := filepath.Join(t.TempDir(), "a.dtb")
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-t", "s", name, "/chosen", "bootargs", "debug"},
		{"-t", "s", name, "/chosen", "args", "a"}, // a name that another one ends with
		{"-t", "x", name, "/", "new-property", "1", "ffffffff"},
		{"-c", name, "/new"},
		{"-t", "s", name, "/new", "a", "b", "c"},
	} {
		if out, err := exec.Command(put, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	tree, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	chosen := tree.Root.Child("chosen")
	tree.Set(chosen, "bootargs", Text("debug"))
	tree.Set(chosen, "args", Text("a"))
	tree.Set(tree.Root, "new-property", Words(1, 0xffffffff))
	tree.Set(tree.Root.AddChild("new"), "a", Text("b", "c"))
	got, err := tree.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	wantTree, err := Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	// fdtput leaves room at the end.
	if repacked, err := wantTree.Bytes(); err != nil || !bytes.Equal(got, repacked) {
		t.Errorf("%x, %v, want %x", got, err, repacked)
	}
}

func TestParseFile(t *testing.T) {
	large := bytes.Repeat([]byte{1, 2, 3}, maxValue)
	tree := &Tree{Root: &Node{Properties: []Property{{Name: "data", Value: large}, {Name: "a", Value: Words(1)}}}}
	data, err := tree.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	p := got.Root.Properties[0]
	if p.Content == nil || p.Content.Size() != int64(len(large)) || p.Value != nil {
		t.Fatalf("the large property: %+v", p)
	}
	if number, ok := got.Root.Uint32("a"); number != 1 || !ok {
		t.Errorf("a is %d", number)
	}
	again, err := got.Bytes()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("written again, it differs: %v", err)
	}
	if _, err := ParseFile(bytes.NewReader(data[:len(data)-1]), int64(len(data))); err == nil {
		t.Error("no error for a file that is shorter than its size")
	}
}

func TestWriteErrors(t *testing.T) {
	deep := &Node{}
	for node, depth := deep, 0; depth < MaxDepth; depth++ {
		node = node.AddChild("a")
	}
	for name, root := range map[string]*Node{
		"name of the root": {Name: "a"},
		"empty name":       {Children: []*Node{{}}},
		"slash":            {Children: []*Node{{Name: "a/b"}}},
		"NUL":              {Properties: []Property{{Name: "a\x00b"}}},
		"long name":        {Children: []*Node{{Name: strings.Repeat("a", MaxName+1)}}},
		"too deep":         deep,
	} {
		var b bytes.Buffer
		if err := (&Tree{Root: root}).Write(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v after %d bytes", name, err, b.Len())
		}
	}
}

// FuzzWrite writes what was read, and reads it again.
func FuzzWrite(f *testing.F) {
	f.Add(file(17, small(), []byte("a\x00b\x00")))
	f.Add(file(16, small(), []byte("xa\x00b\x00")))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := Parse(data)
		fromFile, fileErr := ParseFile(bytes.NewReader(data), int64(len(data)))
		if (err == nil) != (fileErr == nil) {
			t.Fatalf("Parse: %v, ParseFile: %v", err, fileErr)
		}
		if err != nil {
			if !errors.Is(fileErr, ErrNotDeviceTree) && !errors.Is(fileErr, ErrDamaged) {
				t.Errorf("error without a class: %v", fileErr)
			}
			return
		}
		written, err := tree.Bytes()
		if err != nil {
			return // it has names that nobody writes
		}
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(tree.Root, again.Root); diff != "" {
			t.Fatalf("(-read +read again):\n%s", diff)
		}
		if twice, err := again.Bytes(); err != nil || !bytes.Equal(twice, written) {
			t.Errorf("written twice, it differs: %v", err)
		}
		if got, err := fromFile.Bytes(); err != nil || !bytes.Equal(got, written) {
			t.Errorf("written from a file, it differs: %v", err)
		}
	})
}
