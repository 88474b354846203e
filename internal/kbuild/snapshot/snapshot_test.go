package snapshot

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// buildDir returns a build directory, and the paths of what a link needs.
func buildDir(t *testing.T) (d *BuildDir, want []string) {
	t.Helper()
	dir := t.TempDir()
	source := map[string]string{
		"Makefile":                       "",
		"kernel/Kconfig":                 "",
		"kernel/time/timeconst.bc":       "",
		"scripts/mod/modpost.c":          "",
		"include/asm-generic/a.h":        "",
		"arch/x86/include/asm/b.h":       "",
		"kernel/fork.c":                  "",
		"net/9p/mod.c":                   "",
		"include/linux/sched.h":          "",
		"arch/x86/boot/compressed/v.lds": "",
		"tools/objtool/Makefile":         "",
		"tools/include/linux/bits.h":     "",
		// Nothing of these:
		"kernel/never.c":              "",
		"include/linux/never.h":       "",
		"Documentation/index.rst":     "",
		"arch/mips/kernel/x.tbl":      "",
		"arch/mips/include/asm/c.h":   "",
		"drivers/module.c":            "",
		"drivers/module.h":            "",
		"tools/objtool/objtool.c":     "",
		"tools/testing/selftests/run": "",
	}
	write(t, dir, source)
	write(t, dir, map[string]string{
		".config":            "",
		"kernel/.fork.o.cmd": "savedcmd_kernel/fork.o := gcc -c kernel/fork.c\n\nsource_kernel/fork.o := kernel/fork.c\n\ndeps_kernel/fork.o := \\\n  include/linux/sched.h \\\n    $(wildcard include/config/NEVER) \\\n  scripts/../" + "tools/include/linux/bits.h \\\n  /usr/include/stdio.h\n",
		"kernel/fork.o":      "object",
		"net/9p/.mod.o.cmd":  "savedcmd_net/9p/mod.o := gcc -c net/9p/mod.c\n\nsource_net/9p/mod.o := net/9p/mod.c\n",
		"net/9p/mod.o":       "an object, not what kbuild adds to a module",
		"kernel/built-in.a":  "",
		// Nothing of these:
		"drivers/.module.o.cmd":             "savedcmd_drivers/module.o := gcc -DMODULE -c drivers/module.c\n\nsource_drivers/module.o := drivers/module.c\n\ndeps_drivers/module.o := \\\n  drivers/module.h \\\n",
		"drivers/module.o":                  "",
		"drivers/.several.o.cmd":            "savedcmd_drivers/several.o := ld -r -o drivers/several.o @drivers/several.mod ; true\n",
		"drivers/several.o":                 "",
		"drivers/module.ko":                 "",
		"drivers/module.mod":                "",
		"drivers/.module.mod.cmd":           "savedcmd_drivers/module.mod := printf '%s\\n' module.o\n",
		"drivers/module.mod.c":              "",
		"drivers/module.mod.o":              "",
		"drivers/.module.mod.o.cmd":         "savedcmd_drivers/module.mod.o := gcc -DMODULE -c drivers/module.mod.c\n",
		"drivers/.modules.order.cmd":        "savedcmd_drivers/modules.order := true\n",
		"vmlinux":                           "",
		"vmlinux.a":                         "",
		".vmlinux.objs":                     "",
		"System.map":                        "",
		"arch/x86/boot/bzImage":             "",
		"arch/x86/boot/.bzImage.cmd":        "",
		"arch/x86/boot/compressed/vmlinux":  "",
		"arch/x86/boot/compressed/piggy.S":  "",
		"tools/objtool/check.o":             "",
		"tools/objtool/.check.o.cmd":        "",
		"tools/objtool/libsubcmd/include.h": "",
		".tmp_programs/x":                   "",
		// The program of a tool:
		"tools/objtool/objtool": "",
	})
	d = &BuildDir{Dir: dir, Source: map[string]bool{}, Image: "arch/x86/boot/bzImage", Tools: []string{"tools/objtool"}}
	for name := range source {
		d.Source[name] = true
	}
	return d, []string{
		".config",
		"Makefile",
		"arch/x86/boot/compressed/v.lds",
		"arch/x86/include/asm/b.h",
		"include/asm-generic/a.h",
		"include/linux/sched.h",
		"kernel/.fork.o.cmd",
		"kernel/Kconfig",
		"kernel/built-in.a",
		"kernel/fork.c",
		"kernel/fork.o",
		"kernel/time/timeconst.bc",
		"net/9p/.mod.o.cmd",
		"net/9p/mod.c",
		"net/9p/mod.o",
		"scripts/mod/modpost.c",
		"tools/include/linux/bits.h",
		"tools/objtool/objtool",
	}
}

func TestPrune(t *testing.T) {
	d, want := buildDir(t)
	got, _, err := d.Prune()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestPruneKeepsModules(t *testing.T) {
	d, want := buildDir(t)
	d.Modules = true
	got, _, err := d.Prune()
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, name := range got {
		kept[name] = true
	}
	for _, name := range append(want, "drivers/module.o", "drivers/module.c", "drivers/module.h", "drivers/several.o") {
		if !kept[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

// A snapshot is unpacked elsewhere with one mtime, and with that directory's path in place of
// the one that it was packed in.
func TestPackUnpack(t *testing.T) {
	pack := func() ([]byte, string) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"a/.x.cmd": "cmd := cc -I" + dir + "/include " + dir, "a/x": "\x00\x01"})
		if err := errors.Join(os.Chmod(filepath.Join(dir, "a/x"), 0o700), os.Symlink("x", filepath.Join(dir, "a/link"))); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Pack(&out, Objects, dir, "arm64", []string{"a/.x.cmd", "a/link", "a/x"}); err != nil {
			t.Fatal(err)
		}
		return out.Bytes(), dir
	}
	packed, _ := pack()
	if again, _ := pack(); !bytes.Equal(packed, again) {
		t.Error("the same files in another directory give other bytes")
	}

	dir := t.TempDir()
	if err := Unpack(context.Background(), bytes.NewReader(packed), Objects, dir, "arm64"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a/.x.cmd": "cmd := cc -I" + dir + "/include " + dir, "a/x": "\x00\x01", "a/link": "\x00\x01"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	first, err := os.Stat(filepath.Join(dir, "a/x"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.Stat(filepath.Join(dir, "a/.x.cmd"))
	if err != nil {
		t.Fatal(err)
	}
	if !first.ModTime().Equal(second.ModTime()) || first.Mode() != 0o755 || second.Mode() != 0o644 {
		t.Errorf("a/x: %v %v, a/.x.cmd: %v %v", first.ModTime(), first.Mode(), second.ModTime(), second.Mode())
	}

	err = Unpack(context.Background(), bytes.NewReader(packed), Objects, t.TempDir(), "x86_64")
	if err == nil || !strings.Contains(err.Error(), "arm64") || !strings.Contains(err.Error(), "x86_64") {
		t.Errorf("error %v", err)
	}
	err = Unpack(context.Background(), bytes.NewReader(packed), ModuleTree, t.TempDir(), "arm64")
	if !errors.Is(err, ErrNotSnapshot) || !strings.Contains(err.Error(), "objects") {
		t.Errorf("of another kind: error %v", err)
	}
	if err := Unpack(context.Background(), bytes.NewReader(packed[:len(packed)-9]), Objects, t.TempDir(), "arm64"); err == nil {
		t.Error("no error for a snapshot that is cut off")
	}
}

// A path in a binary file is an error: it cannot be replaced, and the next build has another one.
func TestPackRefusesPaths(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"x.o": "\x7fELF\x00" + dir})
	err := Pack(&bytes.Buffer{}, Objects, dir, "x86_64", []string{"x.o"})
	if err == nil || !strings.Contains(err.Error(), "x.o: ") {
		t.Errorf("error %v", err)
	}
}

func TestUnpackNotSnapshot(t *testing.T) {
	for _, text := range []string{"", "hello", "\x28\xb5\x2f\xfd"} {
		if err := Unpack(context.Background(), strings.NewReader(text), Objects, t.TempDir(), "x86_64"); !errors.Is(err, ErrNotSnapshot) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
