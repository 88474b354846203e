package lint

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// elfFields make an ELF file: as much of one as a kernel and a loader look at.
type elfFields struct {
	kind    elf.Type // ET_EXEC if it is 0
	arch    string   // of the table; x86_64 if it is empty
	interp  string
	soname  string
	needed  []string
	rpath   string
	runpath string
	size    int // of the file, padded with NULs
}

// String returns the file. All of it is one segment, at this address.
func (f elfFields) String() string {
	const address = 0x400000
	arch, err := ParseArch(cmp.Or(f.arch, "x86_64"))
	if err != nil {
		panic(err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if arch.data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	long := arch.class == elf.ELFCLASS64
	kind := cmp.Or(f.kind, elf.ET_EXEC)

	var table []byte
	add := func(s string) uint64 {
		at := len(table)
		table = append(append(table, s...), 0)
		return uint64(at)
	}
	add("")
	type pair struct{ tag, value uint64 }
	var pairs []pair
	for _, name := range f.needed {
		pairs = append(pairs, pair{uint64(elf.DT_NEEDED), add(name)})
	}
	name := func(tag elf.DynTag, value string) {
		if value != "" {
			pairs = append(pairs, pair{uint64(tag), add(value)})
		}
	}
	name(elf.DT_SONAME, f.soname)
	name(elf.DT_RPATH, f.rpath)
	name(elf.DT_RUNPATH, f.runpath)

	headerSize, entrySize, width := 52, 32, 4
	if long {
		headerSize, entrySize, width = 64, 56, 8
	}
	headers := 1
	if f.interp != "" {
		headers++
	}
	if len(pairs) > 0 {
		headers++
	}
	interpAt := headerSize + headers*entrySize
	tableAt := interpAt + len(f.interp) + 1
	dynamicAt := (tableAt + len(table) + 7) &^ 7
	pairs = append(pairs, pair{uint64(elf.DT_STRTAB), uint64(address + tableAt)}, pair{uint64(elf.DT_STRSZ), uint64(len(table))}, pair{})
	end := dynamicAt + len(pairs)*2*width

	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			binary.Write(&b, order, v)
		}
	}
	word := func(values ...uint64) {
		for _, v := range values {
			if long {
				put(v)
			} else {
				put(uint32(v))
			}
		}
	}
	put([]byte(elf.ELFMAG), byte(arch.class), byte(arch.data), byte(1), make([]byte, 9))
	put(uint16(kind), uint16(arch.machine), uint32(1))
	word(address, uint64(headerSize), 0)
	put(uint32(0), uint16(headerSize), uint16(entrySize), uint16(headers), uint16(0), uint16(0), uint16(0))
	segment := func(kind elf.ProgType, at, size int) {
		put(uint32(kind))
		if long {
			put(uint32(elf.PF_R))
		}
		word(uint64(at), uint64(address+at), uint64(address+at), uint64(size), uint64(size))
		if !long {
			put(uint32(elf.PF_R))
		}
		word(4)
	}
	segment(elf.PT_LOAD, 0, end)
	if f.interp != "" {
		segment(elf.PT_INTERP, interpAt, len(f.interp)+1)
	}
	if len(pairs) > 3 {
		segment(elf.PT_DYNAMIC, dynamicAt, len(pairs)*2*width)
	}
	put([]byte(f.interp), byte(0), table, make([]byte, dynamicAt-tableAt-len(table)))
	for _, p := range pairs {
		word(p.tag, p.value)
	}
	put(make([]byte, max(0, f.size-b.Len())))
	return b.String()
}

// What the test makes is what debug/elf reads, and so is what readObject reads:
// of files made here, of the test's own binary, and of some of the machine's.
func TestReadObject(t *testing.T) {
	files := map[string][]byte{}
	for _, arch := range archs {
		full := elfFields{elf.ET_DYN, arch.Name, "/lib/ld.so", "me.so", []string{"a.so", "b.so.1"}, "/r:$ORIGIN/x", "/s", 0}
		files[arch.Name] = []byte(full.String())
		files[arch.Name+", static"] = []byte(elfFields{arch: arch.Name}.String())
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
		if b, err := os.ReadFile(name); err == nil && isObject(b) {
			files[name] = b
		}
	}
	if _, ok := files[self]; !ok {
		t.Errorf("%s is no ELF file to this package", self)
	}
	for name, b := range files {
		want, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: debug/elf: %v", name, err)
		}
		wanted := &object{kind: want.Type, machine: want.Machine, class: want.Class, data: want.Data}
		for _, p := range want.Progs {
			if p.Type == elf.PT_INTERP {
				interp := make([]byte, p.Filesz)
				p.ReadAt(interp, 0)
				wanted.interp = strings.TrimRight(string(interp), "\x00")
			}
		}
		if want.Section(".dynamic") != nil {
			wanted.needed = dynStrings(t, want, elf.DT_NEEDED)
			wanted.runPaths = slices.Concat(dynStrings(t, want, elf.DT_RPATH), dynStrings(t, want, elf.DT_RUNPATH))
			if soname := dynStrings(t, want, elf.DT_SONAME); soname != nil {
				wanted.soname = soname[0]
			}
		} else if name[0] != '/' && !strings.HasSuffix(name, "static") {
			// debug/elf finds the dynamic section by its name, which these have not.
			wanted.needed, wanted.runPaths, wanted.soname = []string{"a.so", "b.so.1"}, []string{"/r:$ORIGIN/x", "/s"}, "me.so"
		}
		got, err := readObject(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := gocmp.Diff(wanted, got, gocmp.AllowUnexported(object{})); diff != "" {
			t.Errorf("%s: (-debug/elf +readObject)\n%s", name, diff)
		}
	}
}

func dynStrings(t *testing.T, f *elf.File, tag elf.DynTag) []string {
	t.Helper()
	values, err := f.DynString(tag)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestReadObjectDamaged(t *testing.T) {
	full := elfFields{elf.ET_DYN, "x86_64", "/lib/ld.so", "me.so", []string{"a.so", "b.so.1"}, "", "/s", 0}.String()
	with := func(at int, bytes string) string { return full[:at] + bytes + full[at+len(bytes):] }
	table := strings.LastIndex(full, "\x05\x00\x00\x00\x00\x00\x00\x00") + 8 // behind DT_STRTAB
	many := elfFields{needed: slices.Repeat([]string{"a"}, maxNeeded+1)}.String()
	for _, test := range []struct{ name, file, want string }{
		{"no ELF", "\x7fELG" + full[4:], errNoObject.Error()},
		{"a module", with(16, "\x01\x00"), errNoObject.Error()},
		{"class 3", with(4, "\x03"), errNoObject.Error()},
		{"byte order 0", with(5, "\x00"), errNoObject.Error()},
		{"short", full[:63], "it ends inside of its header"},
		{"no program headers", with(56, "\x00\x00"), "it has 0 program headers of 56 bytes: want some, of 56"},
		{"program headers of another size", with(54, "\x20\x00"), "it has 3 program headers of 32 bytes: want some, of 56"},
		{"too many program headers", with(56, "\xff\xff"), "its program headers have 3669960 bytes: the kernel takes 65536"},
		{"program headers behind the end", with(32, "\xff\xff\xff\xff\xff\xff\xff\xff"),
			"the program headers, 168 bytes at byte 18446744073709551615, would be behind its end"},
		{"cut off", full[:len(full)-1], "a segment ends behind it, which has 383 bytes: it has been cut off"},
		{"a loader's path that is too long", with(64+56+32, "\xff\xff"), "the path of its loader has 65535 bytes: want 2 to 4096"},
		{"a loader's path without a NUL", with(64+56+32, "\x0a"), "the path of its loader has no NUL at its end"},
		{"a large dynamic section", with(64+112+32, "\xff\xff\xff\xff\xff"), "its dynamic section has 1099511627775 bytes: want 1048576 at most"},
		{"a dynamic section behind the end", with(64+112+8, "\xff\xff"), "the dynamic section, 112 bytes at byte 65535, would be behind its end"},
		{"too many names", many, "it is linked with 1025 shared objects and has 0 search paths: want 1024 and 2 at most"},
		{"a table of strings that is nowhere", with(table, "\x00\x00\x00\x00\x01"), "at address 0x100000000, are in none of its segments"},
		{"names behind the table", with(table+16, "\x01"), "a name at byte 1 of a table of 1"},
		{"a name without an end", with(table+16, "\x03"), "a name that does not end within 2 bytes"},
	} {
		_, err := readObject(strings.NewReader(test.file), int64(len(test.file)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// Headers may say anything: no panic, and nothing that is larger than the file
// lets it be.
func FuzzReadObject(f *testing.F) {
	for _, arch := range []string{"x86_64", "arm", "s390x", "mips"} {
		f.Add([]byte(elfFields{elf.ET_DYN, arch, "/lib/ld.so", "me.so", []string{"a.so"}, "/r", "/s", 0}.String()))
		f.Add([]byte(elfFields{arch: arch}.String()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := readObject(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, name := range slices.Concat(o.needed, o.runPaths, []string{o.interp, o.soname}) {
			if len(name) >= maxPath || !bytes.Contains(b, append([]byte(name), 0)) {
				t.Errorf("a name of %d bytes that the file does not have: %.99q", len(name), name)
			}
		}
		if len(o.needed) > maxNeeded {
			t.Errorf("%d shared objects", len(o.needed))
		}
	})
}
