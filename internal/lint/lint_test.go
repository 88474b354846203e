package lint

import (
	"bytes"
	debugelf "debug/elf"
	"errors"
	"fmt"
	"os"
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
		{rule: "library", name: "elsewhere", records: []record{ld, exe("a", linked("liba.so")), file("opt/liba.so", so())},
			want: []string{"/a"}},
		{rule: "library", name: "for another architecture", records: []record{ld, exe("a", linked("liba.so")), file("lib/liba.so", elftest.File{Type: debugelf.ET_DYN, Arch: "arm64"}.String())},
			want: []string{"/a"}},
		{rule: "library", name: "no shared object", records: []record{ld, exe("a", linked("liba.so")), file("lib/liba.so", "GROUP ( liba.so.1 )")},
			want: []string{"/a"}},
		{rule: "library", name: "runpath", records: []record{ld, dir("opt/bin"), dir("opt/lib"),
			exe("opt/bin/a", elftest.File{Interp: loader, Needed: []string{"liba.so"}, RunPath: "/nowhere:$ORIGIN/../lib"}.String()), file("opt/lib/liba.so", so("libb.so")), file("opt/lib/libb.so", so())}},
		{rule: "library", name: "rpath", records: []record{ld, dir("opt/lib64"),
			exe("bin/a", elftest.File{Interp: loader, Needed: []string{"liba.so"}, RPath: "/opt/${LIB}"}.String()), file("opt/lib64/liba.so", so())}},
		{rule: "library", name: "a path", records: []record{ld, exe("opt/a", linked("/opt/liba.so", "$ORIGIN/liba.so", "/opt/libb.so")), file("opt/liba.so", so())},
			want: []string{"/opt/a"}},
		{rule: "library", name: "a plugin", records: []record{file("opt/liba.so", so("libb.so", "libc.so")), dir("opt/x"), file("opt/x/libb.so", so())},
			want: []string{"/opt/liba.so"}},
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
		{rule: "no-console", name: "none", want: []string{"/dev/console"}},
		{rule: "no-console", name: "a file", records: []record{file("dev/console", "")},
			want: []string{"/dev/console"}},
		{rule: "no-console", name: "another device", records: []record{{cpio.Header{Name: "dev/console", Mode: 0o020600, NLink: 1, RMajor: 4, RMinor: 64}, ""}},
			want: []string{"/dev/console"}},

		{rule: "setuid", name: "files only", records: []record{file("a", "").mode(0o4755), file("b", "").mode(0o2755).owner(7), file("c", "").mode(0o1755), dir("d").mode(0o2755)},
			want: []string{"/a", "/b"}},
		{rule: "world-writable", name: "files and directories", records: []record{file("a", "").mode(0o666), file("b", "").mode(0o660), dir("c").mode(0o777), dir("d").mode(0o1777), slink("e", "a"), console.mode(0o666)},
			want: []string{"/a", "/c"}},

		{rule: "odd-name", name: "none", records: []record{dir("."), dir(""), file("a-b_.+~é", ""), file(".hidden", ""), file("bin/...", "")}},
		{rule: "odd-name", name: "all", records: []record{file("a b", ""), file("a\tb", ""), file("a\x1bb", ""), file("a\xffb", ""), file("./b", ""), file("/c", ""), file("bin/../d", ""), dir("e/"), file("-f", ""), file("bin/-rf /x", "")},
			want: []string{"/a b", "/a\tb", "/a\x1bb", "/a\xffb", "/b", "/c", "/d", "/e", "/-f", "/bin/-rf /x"}},

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
