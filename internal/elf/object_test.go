package elf_test

import (
	"bytes"
	debugelf "debug/elf"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/elf/elftest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// ReadObject reads what debug/elf reads, of files of package elftest, of the test's own binary,
// and of some binaries of the machine.
func TestReadObject(t *testing.T) {
	files := map[string][]byte{}
	required := []elf.Requirement{{Name: "a.so", Versions: []string{"V1", "V2"}}, {Name: "b.so.1", Versions: []string{"W"}}}
	for _, arch := range elf.Archs() {
		name := arch.String()
		full := elftest.File{Type: debugelf.ET_DYN, Arch: name, Interp: "/lib/ld.so", Soname: "me.so", Needed: []string{"a.so", "b.so.1"}, RPath: "/r:$ORIGIN/x", RunPath: "/s",
			Requires: required, Defines: []string{"me.so", "V1"}, Notes: notes}
		files[name] = []byte(full.String())
		files[name+", static"] = []byte(elftest.File{Arch: name}.String())
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{self}
	for _, pattern := range []string{"/bin/*sh", "/bin/l*", "/lib*/*.so.*", "/lib*/*/libc*.so*", "/usr/bin/g*"} {
		found, _ := filepath.Glob(pattern)
		paths = append(paths, found[:min(len(found), 20)]...)
	}
	for _, name := range paths {
		if b, err := os.ReadFile(name); err == nil && elf.IsObject(b) {
			files[name] = b
		}
	}
	if _, ok := files[self]; !ok {
		t.Errorf("%s is not an ELF file to this package", self)
	}
	for name, b := range files {
		want, err := debugelf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: debug/elf: %v", name, err)
		}
		wanted := &elf.Object{Type: want.Type, Arch: elf.Arch{Machine: want.Machine, Class: want.Class, Data: want.Data}}
		for _, p := range want.Progs {
			if p.Type == debugelf.PT_INTERP {
				interp := make([]byte, p.Filesz)
				p.ReadAt(interp, 0)
				wanted.Interp = strings.TrimRight(string(interp), "\x00")
			}
		}
		if want.Section(".dynamic") != nil {
			wanted.Needed = dynStrings(t, want, debugelf.DT_NEEDED)
			for tag, to := range map[debugelf.DynTag]*string{debugelf.DT_RPATH: &wanted.RPath, debugelf.DT_RUNPATH: &wanted.RunPath, debugelf.DT_SONAME: &wanted.Soname} {
				*to = strings.Join(dynStrings(t, want, tag), "")
			}
			needs, err := want.DynamicVersionNeeds()
			if err != nil && want.Section(".gnu.version") != nil {
				t.Fatal(err)
			}
			for _, need := range needs {
				required := elf.Requirement{Name: need.Name}
				for _, dep := range need.Needs {
					if dep.Flags&debugelf.VER_FLG_WEAK == 0 {
						required.Versions = append(required.Versions, dep.Dep)
					}
				}
				if required.Versions != nil {
					wanted.Requires = append(wanted.Requires, required)
				}
			}
			defined, err := want.DynamicVersions()
			if err != nil && want.Section(".gnu.version") != nil {
				t.Fatal(err)
			}
			for _, version := range defined {
				wanted.Defines = append(wanted.Defines, version.Name)
			}
		} else if name[0] != '/' && !strings.HasSuffix(name, "static") {
			// debug/elf finds the dynamic section by its name, which these lack.
			wanted.Needed, wanted.RPath, wanted.RunPath, wanted.Soname = []string{"a.so", "b.so.1"}, "/r:$ORIGIN/x", "/s", "me.so"
			wanted.Requires, wanted.Defines, wanted.Notes = required, []string{"me.so", "V1"}, wantedNotes
		}
		got, err := elf.ReadObject(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name[0] == '/' {
			got.Notes = nil // TestReadNotes reads those
		}
		if diff := gocmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s: (-debug/elf +readObject)\n%s", name, diff)
		}
	}
}

const notes = `[{"soname":["libx.so.2","libx.so.1"],"feature":"x","description":"X","priority":"suggested"},{"soname":["liby.so"]},{"feature":"no name"}]`

var wantedNotes = []elf.Note{
	{Sonames: []string{"libx.so.2", "libx.so.1"}, Feature: "x", Description: "X", Priority: elf.Suggested},
	{Sonames: []string{"liby.so"}, Priority: elf.Recommended},
}

// A note that is not as the specification has it is ignored.
func TestReadNotes(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []elf.Note
	}{
		{"whole", notes, wantedNotes},
		{"no JSON", "[{", nil},
		{"an object", `{"soname":["a"]}`, nil},
		{"a number for a name", `[{"soname":[1]}]`, nil},
		{"too many names", `[{"soname":["a"` + strings.Repeat(`,"a"`, elf.MaxNotes) + `]}]`, nil},
		{"too many notes", `[` + strings.Repeat(`{"soname":["a"]},`, elf.MaxNotes) + `{"soname":["b"]}]`,
			slices.Repeat([]elf.Note{{Sonames: []string{"a"}, Priority: elf.Recommended}}, elf.MaxNotes)},
	} {
		file := elftest.File{Notes: test.text}.String()
		o, err := elf.ReadObject(strings.NewReader(file), int64(len(file)))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := gocmp.Diff(test.want, o.Notes); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.name, diff)
		}
	}
}

func dynStrings(t *testing.T, f *debugelf.File, tag debugelf.DynTag) []string {
	t.Helper()
	values, err := f.DynString(tag)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestReadObjectDamaged(t *testing.T) {
	full := elftest.File{Type: debugelf.ET_DYN, Interp: "/lib/ld.so", Soname: "me.so", Needed: []string{"a.so", "b.so.1"}, RunPath: "/s"}.String()
	with := func(at int, bytes string) string { return full[:at] + bytes + full[at+len(bytes):] }
	table := strings.LastIndex(full, "\x05\x00\x00\x00\x00\x00\x00\x00") + 8 // after DT_STRTAB
	versions := elftest.File{Requires: []elf.Requirement{{Name: "a.so", Versions: []string{"V"}}}, Defines: []string{"W"}}.String()
	needsAt := strings.Index(versions, "\x01\x00\x01\x00\x01\x00")
	withVersions := func(at int, bytes string) string { return versions[:at] + bytes + versions[at+len(bytes):] }
	many := elftest.File{Needed: slices.Repeat([]string{"a"}, elf.MaxNeeded+1)}.String()
	messages := map[string]string{}
	for _, test := range []struct{ name, file string }{
		{"no ELF", "\x7fELG" + full[4:]},
		{"a module", with(16, "\x01\x00")},
		{"class 3", with(4, "\x03")},
		{"byte order 0", with(5, "\x00")},
		{"short", full[:63]},
		{"no program headers", with(56, "\x00\x00")},
		{"program headers of another size", with(54, "\x20\x00")},
		{"too many program headers", with(56, "\xff\xff")},
		{"program headers after the end", with(32, "\xff\xff\xff\xff\xff\xff\xff\xff")},
		{"cut off", full[:len(full)-1]},
		{"a loader's path that is too long", with(64+56+32, "\xff\xff")},
		{"a loader's path without a NUL", with(64+56+32, "\x0a")},
		{"a large dynamic section", with(64+112+32, "\xff\xff\xff\xff\xff")},
		{"a dynamic section after the end", with(64+112+8, "\xff\xff")},
		{"too many names", many},
		{"too many versions", elftest.File{Defines: slices.Repeat([]string{"V"}, elf.MaxVersions+1)}.String()},
		{"versions that are nowhere", withVersions(needsAt+8, "\xff\xff\xff\x7f")},
		{"a version whose name is nowhere", withVersions(needsAt+16+8, "\xff\xff\xff\x7f")},
		{"too many notes", elftest.File{Notes: strings.Repeat(" ", elf.MaxNoteBytes)}.String()},
		{"a table of strings that is nowhere", with(table, "\x00\x00\x00\x00\x01")},
		{"names after the table", with(table+16, "\x01")},
		{"a name without an end", with(table+16, "\x03")},
	} {
		_, err := elf.ReadObject(strings.NewReader(test.file), int64(len(test.file)))
		if _, ok := errors.AsType[elf.FormatError](err); !ok {
			t.Errorf("%s: error %v, want a FormatError", test.name, err)
			continue
		}
		messages[test.name] = err.Error()
	}
	for _, name := range []string{"no ELF", "a module", "class 3", "byte order 0"} {
		if messages[name] != elf.ErrNotObject.Error() {
			t.Errorf("%s: %q, want ErrNotObject", name, messages[name])
		}
	}
	golden.Messages(t, "TestReadObjectDamaged.txt", messages)
}

// Headers may have any values: there is no panic, and nothing larger than the file.
func FuzzReadObject(f *testing.F) {
	for _, arch := range []string{"x86_64", "arm", "s390x", "mips"} {
		f.Add([]byte(elftest.File{Type: debugelf.ET_DYN, Arch: arch, Interp: "/lib/ld.so", Soname: "me.so", Needed: []string{"a.so"}, RPath: "/r", RunPath: "/s",
			Requires: []elf.Requirement{{Name: "a.so", Versions: []string{"V1", "V2"}}}, Defines: []string{"V1", "V2"}, Notes: notes}.String()))
		f.Add([]byte(elftest.File{Arch: arch}.String()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := elf.ReadObject(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, name := range slices.Concat(o.Needed, o.Defines, []string{o.Interp, o.Soname, o.RPath, o.RunPath}) {
			if len(name) >= elf.MaxPath || !bytes.Contains(b, append([]byte(name), 0)) {
				t.Errorf("a name of %d bytes that is not in the file: %.99q", len(name), name)
			}
		}
		if len(o.Needed) > elf.MaxNeeded || len(o.Requires) > elf.MaxVersions || len(o.Defines) > elf.MaxVersions || len(o.Notes) > elf.MaxNotes {
			t.Errorf("%d shared objects, %d and %d versions, %d notes", len(o.Needed), len(o.Requires), len(o.Defines), len(o.Notes))
		}
	})
}
