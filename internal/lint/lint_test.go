package lint

import (
	"bytes"
	debugelf "debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/elf/elftest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// record is a record of an archive.
type record struct {
	cpio.Header
	body string
}

func raw(mode uint32, name, body string) record {
	return record{cpio.Header{Name: name, Mode: mode, NLink: 1}, body}
}
func dir(name string) record             { return raw(0o040755, name, "") }
func file(name, body string) record      { return raw(0o100644, name, body) }
func exe(name, body string) record       { return raw(0o100755, name, body) }
func slink(name, to string) record       { return raw(0o120777, name, to+"\x00") }
func static(name string) record          { return exe(name, elftest.File{}.String()) }
func (r record) mode(m uint32) record    { r.Mode = r.Mode&cpio.TypeMask | m; return r }
func (r record) owner(uid uint32) record { r.UID = uid; return r }

// inode makes a record one of the names of a file with a number.
func (r record) inode(ino, names uint32) record      { r.Ino, r.NLink = ino, names; return r }
func linkOf(ino, n uint32, name, body string) record { return file(name, body).inode(ino, n) }
func device(name string, major, minor uint32) record {
	return record{cpio.Header{Name: name, Mode: 0o020600, NLink: 1, RMajor: major, RMinor: minor}, ""}
}

// padded adds NULs, so that another archive can follow.
func padded(img string) string { return img + strings.Repeat("\x00", -len(img)&3) }

// early are records that the kernel looks for before it unpacks an image, with directories.
func early(prefix string) []record {
	return []record{dir(prefix + "kernel"), dir(prefix + "kernel/x86"), dir(prefix + "kernel/x86/microcode"), file(prefix+"kernel/x86/microcode/GenuineIntel.bin", "x"),
		dir(prefix + "kernel/firmware"), dir(prefix + "kernel/firmware/acpi"), file(prefix+"kernel/firmware/acpi/ssdt.aml", "x")}
}

// archive returns the records as an archive.
func archive(t testing.TB, records ...record) string {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	for _, r := range records {
		r.Size = int64(len(r.body))
		if err := w.WriteHeader(&r.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(r.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// layerOf returns a layer with kernel modules and their indexes. dep is the content of one of them.
func layerOf(dep string, modules ...string) []record {
	records := []record{dir("lib"), dir("lib/modules"), dir("lib/modules/6.1")}
	for _, name := range modules {
		records = append(records, file("lib/modules/6.1/"+name+".ko", name))
	}
	return append(records, file("lib/modules/6.1/modules.dep", dep), file("lib/modules/6.1/modules.alias", ""))
}

// layers returns an image of layers, an archive for each.
func layers(t testing.TB, all ...[]record) string {
	t.Helper()
	img := ""
	for _, records := range all {
		img += padded(archive(t, records...))
	}
	return img
}

func packed(t testing.TB, codecName, archive string) string {
	t.Helper()
	m, err := codec.Parse(codecName)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := m.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(archive)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// parents are the directories of most tests.
var parents = []record{dir("bin"), dir("dev"), dir("etc"), dir("lib"), dir("opt"), dir("usr"), dir("usr/lib")}

// findings returns what Run reports.
func findings(t *testing.T, img string, o Options) []Finding {
	t.Helper()
	var got []Finding
	err := Run(image.NewReader(strings.NewReader(img)), o, func(f Finding) error {
		if f.Fix == "" || f.Message == "" || f.Entry == "" {
			t.Errorf("a field is empty: %+v", f)
		}
		got = append(got, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// summaries returns the severity, rule and entry of findings.
func summaries(findings []Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, fmt.Sprintf("%s %s: %s", f.Severity, f.Rule, f.Entry))
	}
	return all
}

const (
	loader = "/lib/ld.so"
	shell  = "#!/bin/sh\n"
)

// filtered is an archive of one file, compressed by the program xz with a filter.
func filtered(t *testing.T, filter string) string {
	t.Helper()
	img, err := os.ReadFile("testdata/filters/" + filter + ".cpio.xz")
	if err != nil {
		t.Fatal(err)
	}
	return string(img)
}

// so is a shared object that needs others.
func so(needed ...string) string { return elftest.File{Type: debugelf.ET_DYN, Needed: needed}.String() }

// linked is a program that needs shared objects.
func linked(needed ...string) string { return elftest.File{Interp: loader, Needed: needed}.String() }

func TestRules(t *testing.T) {
	ld := exe("lib/ld.so", so())
	console := record{cpio.Header{Name: "dev/console", Mode: 0o020600, NLink: 1, RMajor: 5, RMinor: 1}, ""}
	config := func(text string) Options {
		kernel, err := ReadConfig(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return Options{Kernel: kernel}
	}
	codecs := func(list string) Options {
		kernel, err := ParseCodecs(list)
		if err != nil {
			t.Fatal(err)
		}
		return Options{Kernel: kernel}
	}
	arch := func(name string) Options {
		a, err := elf.ParseArch(name)
		if err != nil {
			t.Fatal(err)
		}
		return Options{Arch: a}
	}
	messages := map[string]map[string]string{}
	for _, test := range []struct {
		rule, name string
		records    []record // after parents
		img        string   // in place of records
		options    Options
		want       []string // entries
	}{
		{rule: "missing-parent", name: "below directories, root included", records: []record{dir("."), file("bin/a", "")}},
		{rule: "missing-parent", name: "no directory", records: []record{file("srv/a/b", ""), file("srv", "")},
			want: []string{"/srv/a/b"}},
		{rule: "missing-parent", name: "too late", records: []record{file("srv/b", ""), dir("srv")},
			want: []string{"/srv/b"}},
		{rule: "missing-parent", name: "by way of a link", records: []record{slink("sbin", "bin"), file("sbin/a", ""), slink("var", "srv"), file("var/b", "")},
			want: []string{"/var/b"}},

		{rule: "dropped", name: "nothing", records: []record{file("bin/a", "x"), slink("bin/b", "a")}},
		{rule: "dropped", name: "content", records: []record{raw(0o010644, "bin/a", "x")},
			want: []string{"/bin/a"}},
		{rule: "dropped", name: "a file for a directory", records: []record{file("usr", "x")},
			want: []string{"/usr"}},
		{rule: "dropped", name: "no type", records: []record{raw(0o644, "bin/a", "")},
			want: []string{"/bin/a"}},

		{rule: "duplicate", name: "a directory again", records: []record{dir("bin"), dir("./bin/")}},
		{rule: "duplicate", name: "a directory with another owner", records: []record{dir("bin").owner(7)},
			want: []string{"/bin"}},
		{rule: "duplicate", name: "a file again", records: []record{file("bin/a", "1"), file("/bin/../bin/a", "1").mode(0o600)},
			want: []string{"/bin/a"}},
		{rule: "duplicate", name: "by way of a link", records: []record{slink("sbin", "bin"), file("bin/a", "1"), file("sbin/a", "1")},
			want: []string{"/bin/a"}},
		{rule: "duplicate", name: "another type", records: []record{slink("lib", "usr/lib")},
			want: []string{"/lib"}},
		{rule: "duplicate", name: "in another member", img: archive(t, dir("a"), file("b", "")) + packed(t, "gzip", archive(t, dir("a"), file("b", ""))),
			want: []string{"/b"}},
		{rule: "duplicate", name: "indexes of a layer that a tail replaces", img: layers(t, layerOf("a", "a"), layerOf("b", "b"), layerOf("a b"))},
		{rule: "duplicate", name: "indexes of a layer that has all modules", img: layers(t, layerOf("a", "a"), layerOf("a b", "a", "b")),
			want: []string{"/lib/modules/6.1/a.ko"}},
		{rule: "duplicate", name: "indexes of two layers without a tail", img: layers(t, layerOf("a", "a"), layerOf("b", "b")),
			want: []string{"/lib/modules/6.1/modules.dep", "/lib/modules/6.1/modules.alias"}},
		{rule: "duplicate", name: "indexes of a layer and of an empty one", img: layers(t, layerOf("a", "a"), layerOf("")),
			want: []string{"/lib/modules/6.1/modules.dep", "/lib/modules/6.1/modules.alias"}},
		{rule: "duplicate", name: "indexes of another owner", img: layers(t, layerOf("a", "a"), []record{file("lib/modules/6.1/modules.dep", "a").owner(7)}),
			want: []string{"/lib/modules/6.1/modules.dep"}},
		{rule: "duplicate", name: "an index twice in one archive", img: archive(t, append(layerOf("a", "a"), file("lib/modules/6.1/modules.dep", "a"))...),
			want: []string{"/lib/modules/6.1/modules.dep"}},

		{rule: "hard-link", name: "names of one file", records: []record{linkOf(7, 2, "a", ""), linkOf(7, 2, "b", "AAAA"), linkOf(8, 3, "c", "A"), linkOf(8, 3, "d", "A"), linkOf(7, 1, "e", "B"), dir("f").inode(7, 2), slink("g", "a").inode(7, 2)}},
		{rule: "hard-link", name: "more names than the file has", records: []record{linkOf(7, 2, "a", ""), linkOf(7, 2, "b", "AAAA"), linkOf(7, 2, "c", ""), linkOf(7, 2, "d", "BBBBBB")},
			want: []string{"/a"}},
		{rule: "hard-link", name: "another content", records: []record{linkOf(7, 2, "a", "AA"), linkOf(7, 2, "b", "AB")},
			want: []string{"/a"}},
		{rule: "hard-link", name: "the same content", records: []record{linkOf(7, 2, "a", "AA"), linkOf(7, 2, "b", "AA")}},
		{rule: "hard-link", name: "another owner", records: []record{linkOf(7, 2, "a", "").owner(5), linkOf(7, 2, "b", "")},
			want: []string{"/a"}},
		{rule: "hard-link", name: "devices", records: []record{device("a", 1, 3).inode(7, 2), device("b", 1, 5).inode(7, 2)},
			want: []string{"/a"}},
		{rule: "hard-link", name: "two archives with a trailer between", img: archive(t, linkOf(7, 2, "a", ""), linkOf(7, 2, "b", "A")) + archive(t, linkOf(7, 2, "c", ""), linkOf(7, 2, "d", "B"))},
		{rule: "hard-link", name: "in the second archive", img: archive(t, linkOf(7, 2, "a", ""), linkOf(7, 2, "b", "A")) + archive(t, linkOf(7, 2, "c", "A"), linkOf(7, 2, "d", "B"), linkOf(7, 2, "e", "")),
			want: []string{"/c"}},

		{rule: "device-number", name: "the largest", records: []record{device("a", 4095, 1<<20-1), record{cpio.Header{Name: "b", Mode: 0o060600, RMajor: 4095}, ""}, record{cpio.Header{Name: "c", Mode: 0o010600, RMajor: 4096}, ""}}},
		{rule: "device-number", name: "larger ones", records: []record{device("a", 4096, 1), device("b", 8, 1<<20), {cpio.Header{Name: "c", Mode: 0o060600, RMajor: 1 << 31}, ""}},
			want: []string{"/a", "/b", "/c"}},

		{rule: "link-target", name: "fine", records: []record{raw(0o120777, "a", "bin"), slink("b", "bin"), raw(0o120777, "c", "bin\x00\x00\x00")}},
		{rule: "link-target", name: "empty, or with a NUL", records: []record{raw(0o120777, "a", ""), slink("b", ""), raw(0o120777, "c", "dev\x00xyz"), raw(0o120777, "d", "\x00xyz")},
			want: []string{"/a", "/b", "/c", "/d"}},

		{rule: "early-file", name: "where the kernel looks", img: archive(t, append(early(""), file("kernel/x86/microcode/.enuineIntel.align.0123456789abc", ""))...) +
			archive(t, file("kernel/x86/microcode/AuthenticAMD.bin", "x"), file("early_cpio", "1\n")) + packed(t, "gzip", archive(t, dir("kernel"), file("kernel/firmware/acpi", "")))},
		{rule: "early-file", name: "compressed", img: packed(t, "gzip", archive(t, early("")...)),
			want: []string{"/kernel/x86/microcode/GenuineIntel.bin", "/kernel/firmware/acpi/ssdt.aml"}},
		{rule: "early-file", name: "after what is compressed", img: archive(t, dir("a")) + padded(packed(t, "gzip", archive(t, dir("b")))) + archive(t, early("")...),
			want: []string{"/kernel/x86/microcode/GenuineIntel.bin", "/kernel/firmware/acpi/ssdt.aml"}},
		{rule: "early-file", name: "a dot before the names", img: archive(t, early("./")...),
			want: []string{"/kernel/x86/microcode/GenuineIntel.bin", "/kernel/firmware/acpi/ssdt.aml"}},
		{rule: "early-file", name: "a slash before the names", img: archive(t, early("/")...),
			want: []string{"/kernel/x86/microcode/GenuineIntel.bin", "/kernel/firmware/acpi/ssdt.aml"}},
		{rule: "early-file", name: "names that the kernel does not look for", img: archive(t, append(early("")[:3], file("kernel/x86/microcode/06-a5-02", "x"), file("GenuineIntel.bin", "x"), file("kernel/x86/microcode//AuthenticAMD.bin", "x"))...),
			want: []string{"/kernel/x86/microcode/06-a5-02", "/GenuineIntel.bin", "/kernel/x86/microcode/AuthenticAMD.bin"}},
		{rule: "early-file", name: "what it cannot read", img: archive(t, append(early("")[:3], slink("kernel/x86/microcode/AuthenticAMD.bin", "x"), linkOf(7, 2, "kernel/x86/microcode/GenuineIntel.bin", ""), linkOf(7, 2, "a", "x"))...),
			want: []string{"/kernel/x86/microcode/AuthenticAMD.bin", "/kernel/x86/microcode/GenuineIntel.bin"}},
		{rule: "early-file", name: "only the first", img: archive(t, append(early("")[:3], file("kernel/x86/microcode/GenuineIntel.bin.old", "x"), file("kernel/x86/microcode/GenuineIntel.bin", "x"))...),
			want: []string{"/kernel/x86/microcode/GenuineIntel.bin"}},
		{rule: "early-file", name: "too many tables", img: archive(t, append(early(""), slices.Repeat([]record{file("kernel/firmware/acpi/a", "x")}, 64)...)...),
			want: []string{"/kernel/firmware/acpi/a"}},

		{rule: "whiteout", name: "none", records: []record{file("a.wh.b", ""), file(".wha", ""), dir(".wh.d"), device("a", 0, 1)}},
		{rule: "whiteout", name: "of a file, a directory and an overlay", records: []record{file("etc/.wh.passwd", ""), file("usr/.wh..wh..opq", ""), device("bin/sh", 0, 0)},
			want: []string{"/etc/.wh.passwd", "/usr/.wh..wh..opq", "/bin/sh"}},

		{rule: "owner", name: "root owns one", img: archive(t, dir("a").owner(1000), file("a/b", ""))},
		{rule: "owner", name: "root owns nothing", img: archive(t, dir("a").owner(1000), file("a/b", "").owner(1001)),
			want: []string{"image"}},
		{rule: "owner", name: "nothing that the kernel makes", img: archive(t, file("a/b", "").owner(1000))},
		{rule: "owner", name: "an owner that the kernel does not set", records: []record{file("a", "").owner(1<<32 - 1)},
			want: []string{"/a"}},

		{rule: "no-init", name: "a program", records: []record{static("init")}},
		{rule: "no-init", name: "a script", records: []record{exe("init", shell)}},
		{rule: "no-init", name: "a link", records: []record{slink("init", "bin/init"), static("bin/init")}},
		{rule: "no-init", name: "another", records: []record{static("bin/init")}, options: Options{Init: "/bin/init"}},
		{rule: "no-init", name: "none", want: []string{"/init"}},
		{rule: "no-init", name: "no other", records: []record{static("init")}, options: Options{Init: "/bin/init"},
			want: []string{"/bin/init"}},
		{rule: "no-init", name: "a link to nothing", records: []record{slink("init", "sbin/init")},
			want: []string{"/init"}},
		{rule: "no-init", name: "a loop", records: []record{slink("init", "init")},
			want: []string{"/init"}},
		{rule: "no-init", name: "a directory", records: []record{dir("init")},
			want: []string{"/init"}},
		{rule: "no-init", name: "not executable", records: []record{file("init", shell)},
			want: []string{"/init"}},
		{rule: "no-init", name: "no format", records: []record{exe("init", "echo hello\n")},
			want: []string{"/init"}},
		{rule: "no-init", name: "the last one counts", records: []record{static("init"), exe("init", "x")},
			want: []string{"/init"}},
		{rule: "no-init", name: "the content of a hard link", records: []record{
			{cpio.Header{Name: "init", Mode: 0o100755, NLink: 2, Ino: 9}, ""}, {cpio.Header{Name: "bin/init", Mode: 0o100755, NLink: 2, Ino: 9}, elftest.File{}.String()}}},

		{rule: "interpreter", name: "there", records: []record{static("bin/sh"), exe("a", shell), exe("b", "#! bin/sh -e\n"), file("c", "#!/bin/ash\n")}},
		{rule: "interpreter", name: "a link", records: []record{static("bin/busybox"), slink("bin/sh", "busybox"), exe("a", shell)}},
		{rule: "interpreter", name: "in what is mounted", records: []record{exe("a", "#!/run/sw/sh\n")}},
		{rule: "interpreter", name: "missing", records: []record{exe("a", shell)}, want: []string{"/a"}},
		{rule: "interpreter", name: "a link to nothing", records: []record{exe("a", shell), slink("bin/sh", "dash")},
			want: []string{"/a"}},
		{rule: "interpreter", name: "a carriage return", records: []record{static("bin/sh"), exe("a", "#!/bin/sh\r\n")},
			want: []string{"/a"}},
		{rule: "interpreter", name: "not executable", records: []record{static("bin/sh").mode(0o644), exe("a", shell)},
			want: []string{"/a"}},
		{rule: "interpreter", name: "a directory", records: []record{exe("a", "#!/bin\n")}, want: []string{"/a"}},
		{rule: "interpreter", name: "five scripts", records: []record{exe("a", "#!b"), exe("b", "#!c"), exe("c", "#!d"), exe("d", "#!e"), exe("e", "#!f"), static("f")}},
		{rule: "interpreter", name: "six scripts", records: []record{exe("a", "#!b"), exe("b", "#!c"), exe("c", "#!d"), exe("d", "#!e"), exe("e", "#!f"), exe("f", "#!g"), static("g")},
			want: []string{"/a"}},
		{rule: "interpreter", name: "itself", records: []record{exe("bin/sh", shell)},
			want: []string{"/bin/sh"}},
		{rule: "interpreter", name: "no name", records: []record{exe("a", "#!\n")}, want: []string{"/a"}},
		{rule: "interpreter", name: "written over", records: []record{exe("a", shell), exe("a", "x")}},
		{rule: "interpreter", name: "a file with two names", records: []record{
			{cpio.Header{Name: "a", Mode: 0o100755, NLink: 2, Ino: 9}, ""}, {cpio.Header{Name: "b", Mode: 0o100755, NLink: 2, Ino: 9}, shell}},
			want: []string{"/a"}},

		{rule: "interpreter", name: "env", records: []record{static("bin/env"), static("bin/bash"), dir("sbin"), static("sbin/mdev"), dir("opt/bin"), slink("opt/bin/lua", "../lua5"), static("opt/lua5"),
			exe("a", "#!/bin/env bash\n"), exe("b", "#!/bin/env -S bash -e"), exe("c", "#!/bin/env -iS -u HOME A=b -- bash\n"), exe("d", "#!/bin/env\tmdev\n"), exe("e", "#!/bin/env lua\n"),
			exe("f", "#!/bin/env /bin/bash\n"), exe("g", "#!/bin/env -S 'a b'\n"), exe("h", "#!/bin/env "+strings.Repeat("x", 300))}},
		{rule: "interpreter", name: "env starts what is missing", records: []record{static("bin/env"), static("bin/bash"), file("bin/perl", ""),
			exe("init", "#!/bin/env sh\n"), exe("a", "#!/bin/env bash -e\n"), exe("b", "#!/bin/env -Szsh -e\n"), exe("c", "#!/bin/env --split-string=A=b zsh\n"), exe("d", "#!/bin/env perl\n"),
			exe("e", "#!/bin/env /bin/zsh\n"), exe("f", "#!/bin/env bash\r\n"), slink("bin/lua", "lua5"), exe("g", "#!/bin/env lua\n")},
			want: []string{"/init", "/a", "/b", "/c", "/d", "/e", "/f", "/g"}},
		{rule: "interpreter", name: "env without a program", records: []record{static("bin/env"), exe("a", "#!/bin/env\n"), exe("b", "#!/bin/env -i\n"), exe("c", "#!/bin/env A=b\n"), exe("d", "#!/bin/env -S -u A\n")},
			want: []string{"/a", "/b", "/c", "/d"}},
		{rule: "interpreter", name: "env of the first program has no PATH", records: []record{static("bin/env"), dir("sbin"), static("sbin/sh"), exe("init", "#!/bin/env sh\n"), exe("a", "#!/bin/env sh\n")},
			want: []string{"/init"}},
		{rule: "interpreter", name: "env of BusyBox", records: []record{static("bin/busybox"), slink("bin/env", "busybox"), slink("bin/sh", "busybox"), exe("a", "#!/bin/env sh\n"), exe("b", "#!/bin/env -S sh\n")},
			want: []string{"/b"}},
		{rule: "interpreter", name: "env is missing", records: []record{static("bin/sh"), exe("a", "#!/usr/bin/env sh\n")},
			want: []string{"/a"}},

		{rule: "elf-interpreter", name: "there, or none needed", records: []record{ld, exe("a", linked()), static("b"), exe("c", so())}},
		{rule: "elf-interpreter", name: "missing", records: []record{exe("a", linked()), file("b", linked())},
			want: []string{"/a"}},
		{rule: "elf-interpreter", name: "not executable", records: []record{ld.mode(0o644), exe("a", linked())},
			want: []string{"/a"}},

		{rule: "library", name: "where all look", records: []record{ld, exe("a", linked("liba.so", "libb.so.1")), file("lib/liba.so", so("libc.so.6", "ld.so")),
			dir("usr/lib/x86_64-linux-gnu"), file("usr/lib/libb.so.1.2", so()), slink("usr/lib/libb.so.1", "libb.so.1.2"), file("usr/lib/x86_64-linux-gnu/libc.so.6", so())}},
		{rule: "library", name: "by way of links", records: []record{dir("usr/lib64"), slink("lib64", "usr/lib64"), ld, exe("a", linked("liba.so")), file("lib64/liba.so", so())}},
		{rule: "library", name: "missing", records: []record{ld, exe("a", linked("liba.so", "libb.so")), file("lib/liba.so", so("libc.so"))},
			want: []string{"/a", "/lib/liba.so"}},
		{rule: "library", name: "missing for the libraries of the interpreter of a script", records: []record{ld, exe("init", "#!/bin/lua\n"), exe("bin/lua", linked("liba.so")), file("lib/liba.so", so("libb.so"))},
			want: []string{"/lib/liba.so"}},
		{rule: "library", name: "elsewhere", records: []record{ld, exe("a", linked("liba.so")), file("opt/liba.so", so())},
			want: []string{"/a"}},
		{rule: "library", name: "for another architecture", records: []record{ld, exe("a", linked("liba.so")), file("lib/liba.so", elftest.File{Type: debugelf.ET_DYN, Arch: "arm64"}.String())},
			want: []string{"/a"}},
		{rule: "library", name: "no shared object", records: []record{ld, exe("a", linked("liba.so")), file("lib/liba.so", "GROUP ( liba.so.1 )")},
			want: []string{"/a"}},
		{rule: "library", name: "runpath", records: []record{ld, dir("opt/bin"), dir("opt/lib"),
			exe("opt/bin/a", elftest.File{Interp: loader, Needed: []string{"liba.so"}, RunPath: "/nowhere:$ORIGIN/../lib"}.String()), file("opt/lib/liba.so", so()), file("opt/lib/libb.so", so())}},
		{rule: "library", name: "runpath of what loads it", records: []record{ld, dir("opt/bin"), dir("opt/lib"),
			exe("opt/bin/a", elftest.File{Interp: loader, Needed: []string{"liba.so"}, RunPath: "$ORIGIN/../lib"}.String()), file("opt/lib/liba.so", so("libb.so")), file("opt/lib/libb.so", so())},
			want: []string{"/opt/lib/liba.so"}},
		{rule: "library", name: "$ORIGIN of the first program", records: []record{ld, dir("opt"),
			exe("init", elftest.File{Interp: loader, Needed: []string{"liba.so"}, RunPath: "$ORIGIN/opt"}.String()), file("opt/liba.so", so())},
			want: []string{"/init"}},
		{rule: "library", name: "rpath of what loads it", records: []record{ld, dir("opt/bin"), dir("opt/lib"),
			exe("opt/bin/a", elftest.File{Interp: loader, Needed: []string{"liba.so"}, RPath: "$ORIGIN/../lib"}.String()), file("opt/lib/liba.so", so("libb.so")), file("opt/lib/libb.so", so())}},
		{rule: "library", name: "version", records: []record{ld, dir("lib"), exe("a", elftest.File{Interp: loader, Needed: []string{"liba.so"},
			Requires: []elf.Requirement{{Name: "liba.so", Versions: []string{"A_2"}}}}.String()), file("lib/liba.so", elftest.File{Type: debugelf.ET_DYN, Defines: []string{"A_1"}}.String())},
			want: []string{"/a"}},
		{rule: "dlopen", name: "required", records: []record{ld, dir("lib"), exe("a", elftest.File{Interp: loader,
			Notes: `[{"soname":["liba.so.2","liba.so.1"],"priority":"required","description":"Doing things"},{"soname":["libb.so"]}]`}.String())},
			want: []string{"/a"}},
		{rule: "dlopen", name: "there", records: []record{ld, dir("lib"), exe("a", elftest.File{Interp: loader,
			Notes: `[{"soname":["liba.so.2","liba.so.1"],"priority":"required"}]`}.String()), file("lib/liba.so.1", so())}},
		{rule: "library", name: "rpath", records: []record{ld, dir("opt/lib64"),
			exe("bin/a", elftest.File{Interp: loader, Needed: []string{"liba.so"}, RPath: "/opt/${LIB}"}.String()), file("opt/lib64/liba.so", so())}},
		{rule: "library", name: "a path", records: []record{ld, exe("opt/a", linked("/opt/liba.so", "$ORIGIN/liba.so", "/opt/libb.so")), file("opt/liba.so", so())},
			want: []string{"/opt/a"}},
		{rule: "library", name: "a plugin", records: []record{file("opt/liba.so", so("libc.so"))}},
		{rule: "plugin", name: "no program is linked with it", records: []record{ld, exe("a", linked("libd.so")), file("lib/libd.so", so("libe.so")),
			file("opt/liba.so", so("libb.so", "libc.so")), dir("opt/x"), file("opt/x/libb.so", so())},
			want: []string{"/opt/liba.so"}},
		{rule: "plugin", name: "a plugin's library", records: []record{file("opt/liba.so", so("libb.so")), file("lib/libb.so", so("libc.so"))},
			want: []string{"/lib/libb.so"}},
		{rule: "plugin", name: "a library of a plugin and of a program", records: []record{file("opt/liba.so", so("libb.so")), file("lib/libb.so", so("libc.so")), ld, exe("a", linked("libb.so"))}},
		{rule: "library", name: "configured", records: []record{ld, dir("etc/d"), file("etc/ld.so.conf", "# all\ninclude d/*.conf\n"), file("etc/d/a.conf", "/opt # mine\n"),
			exe("a", linked("liba.so")), file("opt/liba.so", so())}},
		{rule: "library", name: "a cache", records: []record{ld, file("etc/ld.so.cache", "x"), exe("a", linked("liba.so", "libb.so")), file("opt/liba.so", so())},
			want: []string{"/a"}},
		{rule: "library", name: "hardware capabilities", records: []record{ld, dir("lib/glibc-hwcaps"), dir("lib/glibc-hwcaps/x86-64-v3"), exe("a", linked("liba.so")), file("lib/glibc-hwcaps/x86-64-v3/liba.so", so())}},
		{rule: "library", name: "musl", records: []record{exe("lib/ld-musl-x86_64.so.1", so()), file("etc/ld-musl-x86_64.path", "/lib\n/opt"), file("opt/liba.so", so("libc.so")),
			exe("a", elftest.File{Interp: "/lib/ld-musl-x86_64.so.1", Needed: []string{"libc.musl-x86_64.so.1", "liba.so", "libx.so"}}.String())},
			want: []string{"/a"}},
		{rule: "library", name: "files that are not programs", records: []record{dir("lib/firmware"), dir("lib/modules"), file("a", linked("liba.so")), exe("lib/firmware/a.so", linked("liba.so")),
			exe("lib/modules/vdso.so", so("liba.so")), exe("a.so.debug", so("liba.so")), exe("b.ko", "\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 9)+"\x01\x00"+strings.Repeat("\x00", 99))}},

		{rule: "bad-elf", name: "whole", records: []record{static("a")}},
		{rule: "bad-elf", name: "cut off", records: []record{exe("a", elftest.File{}.String()[:120]), file("data", elftest.File{}.String()[:120])},
			want: []string{"/a"}},

		{rule: "architecture", name: "one", records: []record{static("a"), exe("b", so())}, options: arch("amd64")},
		{rule: "architecture", name: "another than wanted", records: []record{static("a"), exe("b", elftest.File{Arch: "arm64"}.String())}, options: arch("aarch64"),
			want: []string{"/a"}},
		{rule: "architecture", name: "mixed: init decides", records: []record{static("a"), static("b"), exe("init", "#!/bin/sh"), exe("bin/sh", elftest.File{Arch: "s390x"}.String())},
			want: []string{"/a", "/b"}},
		{rule: "architecture", name: "mixed: the majority decides", records: []record{exe("z", elftest.File{Arch: "mips"}.String()), static("a"), static("b")},
			want: []string{"/z"}},
		{rule: "architecture", name: "data", records: []record{static("a"), file("b", elftest.File{Arch: "mips"}.String())}},
		{rule: "architecture", name: "a library", records: []record{static("init"), file("b.so", elftest.File{Type: debugelf.ET_DYN, Arch: "mips"}.String())},
			want: []string{"/b.so"}},
		{rule: "architecture", name: "one that is not in the table", records: []record{static("init"), exe("b", "\x7fELF\x02\x01"+elftest.File{}.String()[6:18]+"\xf3\xff"+elftest.File{}.String()[20:])},
			want: []string{"/b"}},
		{rule: "architecture", name: "64 bits for a 32-bit kernel", records: []record{static("a")}, options: arch("i386"), want: []string{"/a"}},
		{rule: "architecture", name: "32 bits for a 64-bit kernel", records: []record{exe("a", elftest.File{Arch: "i386"}.String())}, options: arch("x86_64")},
		{rule: "mixed-class", name: "32 bits for a 64-bit kernel", records: []record{static("init"), exe("a", elftest.File{Arch: "i386"}.String()), exe("b", elftest.File{Arch: "arm"}.String())},
			want: []string{"/a"}},

		{rule: "dangling-symlink", name: "fine", records: []record{slink("a", "/bin"), slink("b", "a"), slink("c", "/proc/self/mounts"), slink("bin/d", "../run/x"), slink("var", "/run"), slink("e", "/var/x")}},
		{rule: "dangling-symlink", name: "nowhere", records: []record{slink("bin/a", "/sbin/b"), slink("bin/b", "c"), slink("d", "d")},
			want: []string{"/bin/a", "/bin/b", "/d"}},

		{rule: "no-console", name: "there", records: []record{console}},
		{rule: "no-console", name: "none: the kernel has it"},
		{rule: "no-console", name: "none: the default archive is built in", options: config("CONFIG_BLK_DEV_INITRD=y\nCONFIG_INITRAMFS_SOURCE=\"\"\n")},
		{rule: "no-console", name: "none: another archive is built in", options: config("CONFIG_BLK_DEV_INITRD=y\nCONFIG_INITRAMFS_SOURCE=\"a.cpio\"\n"), want: []string{"/dev/console"}},
		{rule: "no-console", name: "none: it was asked for", options: Options{Errors: []string{"no-console"}}, want: []string{"/dev/console"}},
		{rule: "no-console", name: "a file", records: []record{file("dev/console", "")},
			want: []string{"/dev/console"}},
		{rule: "no-console", name: "another device", records: []record{{cpio.Header{Name: "dev/console", Mode: 0o020600, NLink: 1, RMajor: 4, RMinor: 64}, ""}},
			want: []string{"/dev/console"}},

		{rule: "setuid", name: "files only", records: []record{file("a", "").mode(0o4755), file("b", "").mode(0o2755).owner(7), file("c", "").mode(0o1755), dir("d").mode(0o2755)},
			want: []string{"/a", "/b"}},
		{rule: "world-writable", name: "files and directories", records: []record{file("a", "").mode(0o666), file("b", "").mode(0o660), dir("c").mode(0o777), dir("d").mode(0o1777), slink("e", "a"), console.mode(0o666)},
			want: []string{"/a", "/c"}},

		{rule: "odd-name", name: "none", records: []record{dir("."), dir(""), file("a-b_.+~é", ""), file(".hidden", ""), file("bin/...", "")}},
		{rule: "odd-name", name: "an archive whose names begin with ./", img: archive(t, dir("."), dir("./a"), file("./a/b", ""), file("./a/c", "")),
			want: []string{"image"}},
		{rule: "odd-name", name: "all", records: []record{file("a b", ""), file("a\tb", ""), file("a\x1bb", ""), file("a\xffb", ""), file("./b", ""), file("/c", ""), file("bin/../d", ""), dir("e/"), file("-f", ""), file("bin/-rf /x", "")},
			want: []string{"/a b", "/a\tb", "/a\x1bb", "/a\xffb", "/d", "/e", "/-f", "/bin/-rf /x", "image", "image"}},

		{rule: "codec", name: "not known", img: packed(t, "xz", archive(t))},
		{rule: "codec", name: "built in", img: packed(t, "xz", archive(t)), options: config("CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_XZ=y\n")},
		{rule: "codec", name: "not compressed", img: archive(t), options: config("CONFIG_BLK_DEV_INITRD=y\n")},
		{rule: "codec", name: "not built in", img: archive(t, file("a", "")) + packed(t, "xz", archive(t)), options: config("CONFIG_BLK_DEV_INITRD=y\n# CONFIG_RD_XZ is not set\n"),
			want: []string{"member 2"}},
		{rule: "codec", name: "of a list", img: packed(t, "lzo", archive(t)) + packed(t, "zstd", archive(t)), options: codecs("zstd,gzip"),
			want: []string{"member 1"}},
		{rule: "codec", name: "no images", img: packed(t, "xz", archive(t)), options: config("CONFIG_RD_XZ=y\n# CONFIG_BLK_DEV_INITRD is not set\n"),
			want: []string{"image"}},

		{rule: "codec", name: "filter built in", img: filtered(t, "riscv"), options: config("CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_XZ=y\nCONFIG_XZ_DEC_RISCV=y\n")},
		{rule: "codec", name: "filter not built in", img: filtered(t, "x86"), options: config("CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_XZ=y\nCONFIG_XZ_DEC_RISCV=y\n"),
			want: []string{"member 1"}},
		{rule: "codec", name: "filter of new kernels", img: filtered(t, "riscv"), options: config("CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_XZ=y\nCONFIG_XZ_DEC_X86=y\n"),
			want: []string{"member 1"}},
		{rule: "xz-filter", name: "of all kernels", img: filtered(t, "x86"), options: codecs("xz")},
		{rule: "xz-filter", name: "known kernel", img: filtered(t, "riscv"), options: config("CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_XZ=y\n")},
		{rule: "xz-filter", name: "of new kernels", img: filtered(t, "riscv") + filtered(t, "arm64"), want: []string{"member 1"}},
		{rule: "xz-filter", name: "of old kernels", img: filtered(t, "ia64"), options: codecs("xz"), want: []string{"member 1"}},

		{rule: "no-trailer", name: "there", img: archive(t)},
		{rule: "no-trailer", name: "none", img: archive(t, file("a", ""))[:112], want: []string{"image"}},
		{rule: "unpack", name: "junk", img: archive(t) + "junk", want: []string{"image"}},
		{rule: "unpack", name: "cut off in a program", img: archive(t, exe("a", linked("a", "b")))[:300], want: []string{"image"}},
	} {
		if test.img == "" {
			test.img = archive(t, append(slices.Clone(parents), test.records...)...)
		}
		var got []string
		var text strings.Builder
		for _, f := range findings(t, test.img, test.options) {
			if f.Rule != test.rule {
				continue
			}
			got = append(got, f.Entry)
			message := f.Message
			if slices.Contains([]string{"unpack", "dropped", "missing-parent"}, f.Rule) {
				message, _, _ = strings.Cut(message, ": ") // the rest is from packages image and kernel
			}
			fmt.Fprintf(&text, "%s: %s (%s)\n", strconv.Quote(f.Entry), message, f.Fix)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s: entries (-want +got)\n%s", test.rule, test.name, diff)
		}
		if messages[test.rule] == nil {
			messages[test.rule] = map[string]string{}
		}
		if got != nil {
			messages[test.rule][test.name] = text.String()
		}
	}
	for _, r := range Rules() {
		if len(messages[r.ID]) == 0 {
			t.Errorf("the rule %s has no test with a finding", r.ID)
		}
		golden.Messages(t, "rules/"+r.ID+".txt", messages[r.ID])
	}
}

// Findings come in the order of the entries, then of the table. Members come before their entries,
// and the image comes last.
func TestOrder(t *testing.T) {
	img := archive(t, dir("z").mode(0o777), file("z/b c", "").mode(0o4777)) + packed(t, "gzip", archive(t, file("a/b", ""), file("z/b c", "")))
	kernel, err := ParseCodecs("none")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"warning world-writable: /z",
		"error odd-name: /z/b c",
		"error codec: member 2",
		"error missing-parent: /a/b",
		"error duplicate: /z/b c",
		"error odd-name: /z/b c",
		"error no-init: /init",
	}
	o := Options{Kernel: kernel, Off: []string{"no-console", "setuid"}, Errors: []string{"odd-name", "setuid"}}
	if diff := cmp.Diff(want, summaries(findings(t, img, o))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// If the kernel refuses the image, only the entries before that point are checked: what they lack
// may come after it. The rule cannot be turned off.
func TestRefused(t *testing.T) {
	img := archive(t, file("a/b", ""), slink("c", "d"), exe("e", shell)) + "junk"
	want := []string{
		"error missing-parent: /a/b",
		"error unpack: image",
	}
	if diff := cmp.Diff(want, summaries(findings(t, img, Options{Off: []string{"unpack"}}))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Programs that are too large for memory are read from a temporary file, one after another.
func TestSpool(t *testing.T) {
	large := func(needed string) string {
		return elftest.File{Interp: loader, Needed: []string{needed}, Size: 8<<20 + 1}.String()
	}
	img := archive(t, dir("lib"), exe("lib/ld.so", so()), exe("a", large("liba.so")), exe("b", large("libb.so")))
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	want := []string{"error library: /a", "error library: /b"}
	o := Options{Off: []string{"no-init", "no-console"}}
	if diff := cmp.Diff(want, summaries(findings(t, img, o))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
	t.Setenv("TMPDIR", dir+"/none")
	if err := Run(image.NewReader(strings.NewReader(img)), o, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory for the file: %v", err)
	}
}

// Links that lead to each other make long paths. A message has a part of them.
func TestLongMessage(t *testing.T) {
	var links []record
	for i := range 30 {
		links = append(links, slink(fmt.Sprint(i), fmt.Sprint(i+1, "/", strings.Repeat("x/", 1000))))
	}
	got := findings(t, archive(t, links...), Options{Off: []string{"no-init"}})
	if len(got) != len(links) {
		t.Errorf("%d findings for %d links", len(got), len(links))
	}
	for _, f := range got {
		if len(f.Message) > 10<<10 {
			t.Errorf("%s: a message of %d bytes", f.Entry, len(f.Message))
		}
	}
}

// The error of a report ends the run.
func TestReportError(t *testing.T) {
	stop, calls := errors.New("stop"), 0
	err := Run(image.NewReader(strings.NewReader(archive(t, file("a b", ""), file("c d", "")))), Options{}, func(Finding) error {
		calls++
		return stop
	})
	if err != stop || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}

func TestReadConfig(t *testing.T) {
	for _, text := range []string{"", "\x1f\x8b\x08junk", "hello\n"} {
		if _, err := ReadConfig(strings.NewReader(text)); err == nil {
			t.Errorf("%q is accepted as a configuration", text)
		}
	}
}

// Any bytes give no panic, and the same findings each time.
func FuzzRun(f *testing.F) {
	f.Add([]byte(archive(f, append(parents, static("init"), exe("bin/a", linked("liba.so")), file("lib/liba.so", so("b.so")))...)))
	f.Add([]byte(archive(f, exe("init", shell), slink("a", "a"), dir("etc"), file("etc/ld.so.conf", "include *.conf\n/opt\n"))))
	f.Add([]byte(packed(f, "gzip", archive(f, file("./a b", ""), file("./a b", "")))))
	f.Fuzz(func(t *testing.T, img []byte) {
		run := func() (all []Finding) {
			err := Run(image.NewReader(bytes.NewReader(img)), Options{}, func(f Finding) error {
				all = append(all, f)
				return nil
			})
			if err != nil {
				t.Skip(err)
			}
			return all
		}
		if diff := cmp.Diff(run(), run()); diff != "" {
			t.Errorf("a second run differs:\n%s", diff)
		}
	})
}

// What a run allocates is linear in the image, whatever the image has in it.
func TestCost(t *testing.T) {
	const many = 100
	each := func(n int, make func(i int) []record) []record {
		records := slices.Clone(parents)
		for i := range n {
			records = append(records, make(i)...)
		}
		return records
	}
	name := func(format string, i int) string { return fmt.Sprintf(format, i) }
	needed := make([]string, 1000)
	for i := range needed {
		needed[i] = name("lib%d.so", i)
	}
	manyNeeded := linked(needed...)
	content := []byte(elftest.File{Size: 64 + 56*1100}.String())
	content[56], content[57] = 1100&0xff, 1100>>8
	manyHeaders := string(content)
	for _, test := range []struct {
		name string
		make func(i int) []record
	}{
		{"scripts, each the interpreter of the next", func(i int) []record {
			return []record{exe(name("bin/s%d", i), name("#!/bin/s%d\n", i-1))}
		}},
		{"scripts of env", func(i int) []record {
			return []record{exe(name("bin/s%d", i), name("#!/bin/env s%d\n", i+1)), static(name("opt/s%d", i))}
		}},
		{"links that go around", func(i int) []record {
			return []record{slink(name("l%d", i), name("l%d/", i^1)+strings.Repeat("x", 100))}
		}},
		{"links that lead to the next", func(i int) []record { return []record{slink(name("l%d", i), name("l%d", i+1))} }},
		{"names of one file", func(i int) []record { return []record{linkOf(7, 2, name("f%d", i), name("%d", i))} }},
		{"programs with many libraries", func(i int) []record {
			return []record{exe(name("bin/p%d", i), manyNeeded)}
		}},
		{"libraries in search paths", func(i int) []record {
			return []record{exe(name("bin/p%d", i), elftest.File{Interp: loader, Needed: needed[:10], RunPath: strings.Repeat("/opt/$LIB:/lib:", 100) + name("/lib/%d", i)}.String()),
				dir(name("lib/%d", i)), file(name("lib/%d/liba.so", i), so("libb.so"))}
		}},
		{"program headers", func(i int) []record {
			return []record{exe(name("bin/p%d", i), manyHeaders)}
		}},
		{"whiteouts and names", func(i int) []record { return []record{file(name("./.wh. %d", i), "")} }},
	} {
		allocated := func(n int) float64 {
			img := archive(t, each(n, test.make)...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := Run(image.NewReader(strings.NewReader(img)), Options{}, func(Finding) error { return nil })
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			return float64(after.TotalAlloc - before.TotalAlloc)
		}
		none := allocated(0)
		once, twice := allocated(many)-none, allocated(2*many)-none
		if twice > 2.5*once {
			t.Errorf("%s: %.0f bytes are allocated for %d, and %.0f for twice as many", test.name, once, many, twice)
		}
	}
}
