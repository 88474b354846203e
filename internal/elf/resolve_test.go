package elf_test

import (
	debugelf "debug/elf"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/elf/elftest"
)

// file is a file of a tree: ELF if content is set, else a symbolic link if target is, else a
// directory.
type file struct{ path, content, target string }

// tree is an elf.System. Its symbolic links lead to files.
type tree struct {
	lookups int // calls of Lookup
	paths   []string
	files   map[string]*elf.File
	links   map[string]string
}

func newTree(t *testing.T, files ...file) *tree {
	t.Helper()
	s := &tree{files: map[string]*elf.File{}, links: map[string]string{}}
	var r elf.Reader
	defer r.Close()
	for _, f := range files {
		s.paths = append(s.paths, f.path)
		switch {
		case f.content != "":
			head := f.content[:min(elf.HeadSize, len(f.content))]
			read, err := r.Read(f.path, int64(len(f.content)), []byte(head), strings.NewReader(f.content[len(head):]))
			if err != nil {
				t.Fatal(err)
			}
			if read != nil {
				read.IsExecutable = path.Base(path.Dir(f.path)) == "bin"
			}
			s.files[f.path] = read
		case f.target != "":
			s.links[f.path] = f.target
		default:
			s.files[f.path] = &elf.File{IsDir: true}
		}
	}
	return s
}

func (s *tree) Files() iter.Seq2[string, *elf.File] {
	return func(yield func(string, *elf.File) bool) {
		for _, name := range s.paths {
			if !yield(name, s.files[name]) {
				return
			}
		}
	}
}

func (s *tree) Lookup(name string) (*elf.File, string) {
	s.lookups++
	name = path.Clean("/" + name)
	if target, ok := s.links[name]; ok {
		name = target
	}
	return s.files[name], name
}

func program(name string, needed ...string) file {
	return file{path: name, content: elftest.File{Interp: "/lib/ld.so", Needed: needed}.String()}
}

func shared(name string, needed ...string) file {
	return file{path: name, content: elftest.File{Type: debugelf.ET_DYN, Needed: needed}.String()}
}

func dir(name string) file { return file{path: name} }

// statuses returns what became of the needs of all files.
func statuses(files []*elf.File) map[string][]elf.Need {
	all := map[string][]elf.Need{}
	for _, f := range files {
		if len(f.Needs) > 0 {
			all[f.Path] = f.Needs
		}
	}
	return all
}

func TestResolve(t *testing.T) {
	type needs = map[string][]elf.Need
	loader := shared("/lib/ld.so")
	for _, test := range []struct {
		name  string
		files []file
		want  needs
	}{
		{"found, transitively, by way of a link", []file{dir("/lib"), loader, program("/bin/a", "libb.so.1"),
			{path: "/lib/libb.so.1", target: "/lib/libb.so.1.2"}, shared("/lib/libb.so.1.2", "libc.so"), shared("/lib/libc.so")},
			needs{"/bin/a": {{Name: "libb.so.1", Status: elf.Found, Path: "/lib/libb.so.1", Opened: "/lib/libb.so.1"}}, "/lib/libb.so.1.2": {{Name: "libc.so", Status: elf.Found, Path: "/lib/libc.so", Opened: "/lib/libc.so"}}}},
		{"the loader", []file{dir("/x"), loader, program("/bin/a", "ld.so")},
			needs{"/bin/a": {{Name: "ld.so", Status: elf.BuiltIn}}}},
		{"missing", []file{dir("/lib"), loader, program("/bin/a", "libb.so", "libc.so"), shared("/lib/libb.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/lib/libb.so", Opened: "/lib/libb.so"}, {Name: "libc.so", Status: elf.Missing}}}},
		{"not searched", []file{dir("/opt"), loader, program("/bin/a", "libb.so"), shared("/opt/libb.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.NotSearched, Path: "/opt/libb.so"}}}},
		{"configured", []file{dir("/opt"), loader, program("/bin/a", "libb.so"), shared("/opt/libb.so"), {path: "/etc/ld.so.conf", content: "/opt\n"}},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/opt/libb.so", Opened: "/opt/libb.so"}}}},
		{"in a cache, perhaps", []file{dir("/opt"), loader, program("/bin/a", "libb.so"), shared("/opt/libb.so"), {path: "/etc/ld.so.cache", content: "cache"}},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Assumed, Path: "/opt/libb.so"}}}},
		{"of a plugin", []file{dir("/opt"), loader, shared("/opt/plugin.so", "libb.so"), shared("/srv/libb.so")},
			needs{"/opt/plugin.so": {{Name: "libb.so", Status: elf.Assumed, Path: "/srv/libb.so"}}}},
		{"another architecture", []file{dir("/lib"), loader, program("/bin/a", "libb.so"),
			{path: "/lib/libb.so", content: elftest.File{Type: debugelf.ET_DYN, Arch: "arm64"}.String()}},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.OtherArch, Path: "/lib/libb.so"}}}},
		{"$ORIGIN", []file{dir("/app/lib"), loader, shared("/app/lib/libb.so"),
			{path: "/app/bin/a", content: elftest.File{Interp: "/lib/ld.so", Needed: []string{"libb.so"}, RunPath: "$ORIGIN/../lib"}.String()}},
			needs{"/app/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/app/lib/libb.so", Opened: "/app/bin/../lib/libb.so"}}}},
		{"a path", []file{loader, program("/bin/a", "/opt/libb.so"), shared("/opt/libb.so", "libc.so")},
			needs{"/bin/a": {{Name: "/opt/libb.so", Status: elf.Found, Path: "/opt/libb.so", Opened: "/opt/libb.so"}}, "/opt/libb.so": {{Name: "libc.so", Status: elf.Missing}}}},
		{"musl", []file{shared("/lib/ld-musl-x86_64.so.1"),
			{path: "/bin/a", content: elftest.File{Interp: "/lib/ld-musl-x86_64.so.1", Needed: []string{"libc.musl-x86_64.so.1"}}.String()}},
			needs{"/bin/a": {{Name: "libc.musl-x86_64.so.1", Status: elf.BuiltIn}}}},
		{"a RUNPATH is not for what it loads", []file{dir("/opt"), loader,
			{path: "/bin/a", content: elftest.File{Interp: "/lib/ld.so", Needed: []string{"libb.so"}, RunPath: "/opt"}.String()},
			shared("/opt/libb.so", "libc.so"), shared("/opt/libc.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/opt/libb.so", Opened: "/opt/libb.so"}},
				"/opt/libb.so": {{Name: "libc.so", Status: elf.NotSearched, Path: "/opt/libc.so"}}}},
		{"a RPATH is for what it loads", []file{dir("/opt"), loader,
			{path: "/bin/a", content: elftest.File{Interp: "/lib/ld.so", Needed: []string{"libb.so"}, RPath: "/opt"}.String()},
			shared("/opt/libb.so", "libc.so"), shared("/opt/libc.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/opt/libb.so", Opened: "/opt/libb.so"}},
				"/opt/libb.so": {{Name: "libc.so", Status: elf.Found, Path: "/opt/libc.so", Opened: "/opt/libc.so"}}}},
		{"what is loaded already", []file{dir("/opt"), loader,
			{path: "/bin/a", content: elftest.File{Interp: "/lib/ld.so", Needed: []string{"libb.so", "libc.so"}, RunPath: "/opt"}.String()},
			shared("/opt/libb.so", "libc.so"), shared("/opt/libc.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/opt/libb.so", Opened: "/opt/libb.so"}, {Name: "libc.so", Status: elf.Found, Path: "/opt/libc.so", Opened: "/opt/libc.so"}},
				"/opt/libb.so": {{Name: "libc.so", Status: elf.Found, Path: "/opt/libc.so", Opened: "/opt/libc.so"}}}},
		{"the worse of two programs", []file{dir("/opt"), dir("/lib"), loader,
			{path: "/bin/a", content: elftest.File{Interp: "/lib/ld.so", Needed: []string{"libb.so"}, RPath: "/opt"}.String()},
			program("/bin/b", "libb.so"), shared("/lib/libb.so", "libc.so"), shared("/opt/libc.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/lib/libb.so", Opened: "/lib/libb.so"}},
				"/bin/b":       {{Name: "libb.so", Status: elf.Found, Path: "/lib/libb.so", Opened: "/lib/libb.so"}},
				"/lib/libb.so": {{Name: "libc.so", Status: elf.NotSearched, Path: "/opt/libc.so"}}}},
		{"a version that is missing", []file{dir("/lib"), loader,
			{path: "/bin/a", content: elftest.File{Interp: "/lib/ld.so", Needed: []string{"libb.so", "libc.so"},
				Requires: []elf.Requirement{{Name: "libb.so", Versions: []string{"V1", "V2"}}, {Name: "libc.so", Versions: []string{"V"}}}}.String()},
			{path: "/lib/libb.so", content: elftest.File{Type: debugelf.ET_DYN, Defines: []string{"V1"}}.String()}, shared("/lib/libc.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.NoVersion, Path: "/lib/libb.so", Opened: "/lib/libb.so", Version: "V2"},
				{Name: "libc.so", Status: elf.Found, Path: "/lib/libc.so", Opened: "/lib/libc.so"}}}},
		{"the first directory", []file{dir("/lib/x86_64-linux-gnu"), dir("/usr/lib"), loader, program("/bin/a", "libb.so"),
			shared("/usr/lib/libb.so"), shared("/lib/x86_64-linux-gnu/libb.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/lib/x86_64-linux-gnu/libb.so", Opened: "/lib/x86_64-linux-gnu/libb.so",
				Others: []string{"/usr/lib/libb.so", "/lib/x86_64-linux-gnu/libb.so"}}}}},
		{"the one for any CPU", []file{dir("/lib"), dir("/lib/glibc-hwcaps/x86-64-v3"), loader, program("/bin/a", "libb.so"),
			shared("/lib/glibc-hwcaps/x86-64-v3/libb.so", "libc.so"), shared("/lib/libb.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/lib/libb.so", Opened: "/lib/libb.so"}},
				"/lib/glibc-hwcaps/x86-64-v3/libb.so": {{Name: "libc.so"}}}},
		{"musl's search path", []file{dir("/opt"), shared("/lib/ld-musl-x86_64.so.1"),
			{path: "/bin/a", content: elftest.File{Interp: "/lib/ld-musl-x86_64.so.1", Needed: []string{"libb.so"}, RunPath: "/opt"}.String()},
			shared("/opt/libb.so", "libc.so", "libd.so"), shared("/opt/libd.so")},
			needs{"/bin/a": {{Name: "libb.so", Status: elf.Found, Path: "/opt/libb.so", Opened: "/opt/libb.so"}},
				"/opt/libb.so": {{Name: "libc.so", Status: elf.BuiltIn}, {Name: "libd.so", Status: elf.Found, Path: "/opt/libd.so", Opened: "/opt/libd.so"}}}},
		{"firmware and debug information", []file{loader, shared("/lib/firmware/a.so", "libb.so"), shared("/lib/a.so.debug", "libb.so")},
			needs{}},
	} {
		if diff := gocmp.Diff(test.want, statuses(elf.Resolve(newTree(t, test.files...), elf.Options{}))); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.name, diff)
		}
	}
}

// A program loads the first shared object of a note that there is.
func TestResolveNotes(t *testing.T) {
	note := `[{"soname":["libb.so.2","libb.so.1"],"priority":"required"},{"soname":["libc.so"],"priority":"required"},{"soname":["libd.so"],"feature":"d"}]`
	files := elf.Resolve(newTree(t, dir("/lib"), shared("/lib/ld.so"),
		file{path: "/bin/a", content: elftest.File{Interp: "/lib/ld.so", Needed: []string{"ld.so"}, Notes: note}.String()},
		shared("/lib/libb.so.1", "libe.so"), shared("/lib/libd.so")), elf.Options{})
	a := files[1]
	var got []bool
	for _, load := range a.Loads {
		got = append(got, load.IsWanted, load.IsFound())
	}
	if diff := gocmp.Diff([]bool{true, true, true, false, false, false}, got); diff != "" {
		t.Errorf("wanted and found: (-want +got)\n%s", diff)
	}
	if diff := gocmp.Diff([]elf.Need{{Name: "libe.so"}}, statuses(files)["/lib/libb.so.1"]); diff != "" {
		t.Errorf("what the library needs: (-want +got)\n%s", diff)
	}
}

// A file that nothing runs or loads is listed, but what it needs is not looked for.
func TestResolveUnused(t *testing.T) {
	files := elf.Resolve(newTree(t, program("/bin/a"), program("/data/b", "libc.so")), elf.Options{})
	if len(files) != 2 || !files[0].IsUsed || files[1].IsUsed || files[1].Path != "/data/b" || files[1].Needs != nil {
		t.Errorf("files: %+v", files)
	}
}

// A file that is larger than what is held in memory is read from a temporary file.
func TestReaderSpool(t *testing.T) {
	content := elftest.File{Needed: []string{"libb.so"}, Size: elf.MaxMemory + 1}.String()
	read := func() (*elf.File, error) {
		var r elf.Reader
		defer r.Close()
		return r.Read("/bin/a", int64(len(content)), []byte(content[:elf.HeadSize]), strings.NewReader(content[elf.HeadSize:]))
	}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	f, err := read()
	if err != nil || f.Object == nil || len(f.Object.Needed) != 1 {
		t.Errorf("read %+v, %v", f, err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
	t.Setenv("TMPDIR", temporary+"/none")
	if _, err := read(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory for the file: %v", err)
	}
}

func TestReaderDamaged(t *testing.T) {
	content := elftest.File{}.String()[:100]
	var r elf.Reader
	defer r.Close()
	f, err := r.Read("/bin/a", 100, []byte(content[:elf.HeadSize]), strings.NewReader(content[elf.HeadSize:]))
	if err != nil || f.Object != nil || f.Damage == nil {
		t.Errorf("read %+v, %v", f, err)
	}
	if f, err := r.Read("/bin/a", 5, []byte("hello"), strings.NewReader("")); f != nil || err != nil {
		t.Errorf("what is not an ELF file: %+v, %v", f, err)
	}
}

// What is looked up grows with the number of files, whatever they have in them.
func TestResolveCost(t *testing.T) {
	configured := func(directories int) []file {
		var text strings.Builder
		files := []file{dir("/etc")}
		for i := range directories {
			fmt.Fprintf(&text, "/d%d\n", i)
			files = append(files, dir(fmt.Sprintf("/d%d", i)), dir(fmt.Sprintf("/d0/glibc-hwcaps/%d", i)))
		}
		return append(files, file{path: "/etc/ld.so.conf", content: text.String()})
	}
	for _, test := range []struct {
		name string
		make func(i int) file
	}{
		{"architectures that are not known", func(i int) file {
			content := []byte(elftest.File{Type: debugelf.ET_DYN}.String())
			content[18], content[19] = byte(i), byte(i>>8)|0x80
			return file{path: fmt.Sprintf("/lib/lib%d.so", i), content: string(content)}
		}},
		{"search paths with tokens", func(i int) file {
			var paths []string
			for j := range 1000 {
				paths = append(paths, fmt.Sprintf("/d%d/$LIB", j))
			}
			return file{path: fmt.Sprintf("/bin/%d", i), content: elftest.File{Interp: "/lib/ld.so", Needed: []string{"liba.so"}, RunPath: strings.Join(paths, ":")}.String()}
		}},
		{"needed files with tokens", func(i int) file {
			return program(fmt.Sprintf("/bin/%d", i), slices.Repeat([]string{"$LIB/$LIB/$LIB/$LIB/a"}, 100)...)
		}},
		{"a chain of libraries", func(i int) file {
			return shared(fmt.Sprintf("/lib/lib%d.so", i), fmt.Sprintf("lib%d.so", i+1), "lib0.so")
		}},
	} {
		lookups := func(n int) int {
			files := configured(200)
			for i := range n {
				files = append(files, test.make(i))
			}
			s := newTree(t, files...)
			elf.Resolve(s, elf.Options{})
			return s.lookups
		}
		none, some, twice := lookups(0), lookups(10), lookups(20)
		if twice-none > 5*(some-none)/2 || some > none+10*700 || none > 10000 {
			t.Errorf("%s: %d lookups without files, %d for 10 files, %d for 20", test.name, none, some, twice)
		}
	}
}

// Patterns of files to include are limited.
func TestResolveIncludes(t *testing.T) {
	files := []file{dir("/etc"), dir("/opt"), {path: "/etc/ld.so.conf", content: "include " + strings.Repeat("none/*.conf ", 100) + "a.conf\n"},
		{path: "/etc/a.conf", content: "/opt\n"}, shared("/lib/ld.so"), program("/bin/a", "liba.so"), shared("/opt/liba.so")}
	if got := statuses(elf.Resolve(newTree(t, files...), elf.Options{}))["/bin/a"][0].Status; got != elf.NotSearched {
		t.Errorf("the library has the status %d", got)
	}
}
