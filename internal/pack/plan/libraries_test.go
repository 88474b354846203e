package plan

import (
	debugelf "debug/elf"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/elf/elftest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

const gnuLoader = "/lib64/ld-linux-x86-64.so.2"

func linked(needed ...string) string {
	return elftest.File{Interp: gnuLoader, Needed: needed}.String()
}

func library(needed ...string) string {
	return elftest.File{Type: debugelf.ET_DYN, Needed: needed}.String()
}

// libraryFiles are the locations of the lists of TestLibraries.
var libraryFiles = map[string]string{
	"ld":     library(),
	"libc":   library("ld-linux-x86-64.so.2"),
	"libm":   library("libc.so.6"),
	"libm2":  library("libc.so.6", "ld-linux-x86-64.so.2"),
	"a":      linked("libm.so.6", "libc.so.6"),
	"c":      linked("libc.so.6"),
	"origin": elftest.File{Interp: gnuLoader, Needed: []string{"libm.so.6"}, RunPath: "$ORIGIN/../private"}.String(),
	"static": elftest.File{}.String(),
	"newer":  elftest.File{Interp: gnuLoader, Needed: []string{"libv.so"}, Requires: []elf.Requirement{{Name: "libv.so", Versions: []string{"V_2"}}}}.String(),
	"libv":   elftest.File{Type: debugelf.ET_DYN, Defines: []string{"V_1"}}.String(),
	"arm":    elftest.File{Type: debugelf.ET_DYN, Arch: "arm64"}.String(),
	"notes": elftest.File{Interp: gnuLoader, Needed: []string{"libc.so.6"}, Notes: `[{"soname":["libm.so.6"],"feature":"math"},
		{"soname":["libs.so"],"feature":"more","priority":"suggested"},{"soname":["librec.so"],"feature":"other","priority":"recommended"}]`}.String(),
	"requires":     elftest.File{Interp: gnuLoader, Needed: []string{"libc.so.6"}, Notes: `[{"soname":["libr.so"],"priority":"required"}]`}.String(),
	"musl":         elftest.File{Interp: "/lib/ld-musl-x86_64.so.1", Needed: []string{"libc.so", "libm2.so"}}.String(),
	"nsswitch":     "# names\npasswd: files compat\nhosts: files [!UNAVAIL=return] dns # none\n",
	"text":         "text\n",
	"plugin":       library("libplugged.so"),
	"gconv-module": elftest.File{Type: debugelf.ET_DYN, Needed: []string{"libKSC.so"}, RunPath: "$ORIGIN"}.String(),
}

// What a Debian system has in /usr, and its links.
const debian = `#: library @debian//:root
slink /lib64 usr/lib64 0777 0 0
slink /lib usr/lib 0777 0 0
dir /usr 0755 0 0
dir /usr/lib 0755 0 0
dir /usr/lib/x86_64-linux-gnu 0750 0 7
file /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 ld 0755 0 0
dir /usr/lib64 0755 0 0
slink /usr/lib64/ld-linux-x86-64.so.2 ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 0777 0 0
file /usr/lib/x86_64-linux-gnu/libc.so.6 libc 0755 1 2
slink /usr/lib/x86_64-linux-gnu/libm.so.6 libm-2.42.so 0777 0 0
file /usr/lib/x86_64-linux-gnu/libm-2.42.so libm 0644 0 0 /usr/lib/x86_64-linux-gnu/libm.so
file /usr/bin/a a 0755 0 0
`

const end = "#: origin //:a\n#: endlibraries\n"

// begin begins the sources of a target, with fields.
func begin(fields string) string {
	return "#: origin //:a\n#: attribute libraries\n#: libraries " + fields + "\n"
}

// complete reads a list, with @ for the words of a Debian system, and completes it.
func completeLibraries(t *testing.T, text string) ([]*list.Entry, error) {
	t.Helper()
	packtest.InTree(t, libraryFiles)
	if err := os.WriteFile("a.list", []byte("#: origin //:a\n"+text), 0o666); err != nil {
		t.Fatal(err)
	}
	sources, err := source.Open(t.Context(), []string{"a.list"}, source.Options{Directives: true})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { sources.Close() })
	entries, err := Apply(sources.Entries, sources.Changes, sources.Libraries, false)
	if err != nil {
		return nil, err
	}
	return Complete(entries, true, false)
}

func TestLibraries(t *testing.T) {
	loaded := []string{
		"file /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 ld 0755 0 0",
		"dir /usr/lib64 0755 0 0",
		"slink /usr/lib64/ld-linux-x86-64.so.2 ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 0777 0 0",
	}
	above := []string{"dir /usr 0755 0 0", "dir /usr/lib 0755 0 0", "dir /usr/lib/x86_64-linux-gnu 0750 0 7"}
	const libc = "file /usr/lib/x86_64-linux-gnu/libc.so.6 libc 0755 1 2"
	const lib64 = "slink /lib64 usr/lib64 0777 0 0"
	libm := []string{"slink /usr/lib/x86_64-linux-gnu/libm.so.6 libm-2.42.so 0777 0 0", "file /usr/lib/x86_64-linux-gnu/libm-2.42.so libm 0644 0 0"}
	of := func(parts ...any) (lines []string) {
		for _, part := range parts {
			switch part := part.(type) {
			case string:
				lines = append(lines, part)
			case []string:
				lines = append(lines, part...)
			}
		}
		return lines
	}
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"what a program needs", "file /a a 0755 0 0\n" + begin("") + debian + end,
			of(lib64, "file /a a 0755 0 0", above, loaded, libc, libm)},
		{"nothing", "file /a static 0755 0 0\nfile /b text 0755 0 0\n" + begin("") + debian + end,
			of("file /a static 0755 0 0", "file /b text 0755 0 0")},
		{"of a program that is not executable", "file /a a 0644 0 0\n" + begin("") + debian + end, of("file /a a 0644 0 0")},
		{"of a program that metadata make executable", "file /a a 0644 0 0\n#: metadata /a mode=0700\n" + begin("") + debian + end,
			of(lib64, "file /a a 0700 0 0", above, loaded, libc, libm)},
		{"of another target's program", "#: origin //:b\nfile /a a 0755 0 0\n" + begin("") + debian + end, of("file /a a 0755 0 0")},
		{"what the target has itself", "file /a a 0755 0 0\ndir /usr 0711 0 0\nfile /lib64/libm.so.6 libm2 0600 0 0\n" + begin("") + debian + end,
			of(lib64, "file /a a 0755 0 0", "dir /usr 0711 0 0", "dir /usr/lib64 0755 0 0", "file /lib64/libm.so.6 libm2 0600 0 0",
				above[1:], loaded[0], loaded[2], libc)},
		{"metadata of a library", "file /a c 0755 0 0\n#: metadata /usr/lib/*/libc.so.6 mode=0500\n" + begin("") + debian + end,
			of(lib64, "file /a c 0755 0 0", above, loaded, "file /usr/lib/x86_64-linux-gnu/libc.so.6 libc 0500 1 2")},
		{"a loader whose root link is of another package", "file /a a 0755 0 0\n" + begin("") +
			"#: library libc\nfile /usr/lib64/ld-linux-x86-64.so.2 ld 0644 0 0\nfile /usr/lib/libc.so.6 libc 0644 0 0\nfile /usr/lib/libm.so.6 libm 0644 0 0\n" + end,
			of(lib64, "file /a a 0755 0 0", "dir /usr 0755 0 0", "dir /usr/lib64 0755 0 0", "file /usr/lib64/ld-linux-x86-64.so.2 ld 0755 0 0",
				"dir /usr/lib 0755 0 0", "file /usr/lib/libc.so.6 libc 0644 0 0", "file /usr/lib/libm.so.6 libm 0644 0 0")},
		{"the same in two sources", "file /a c 0755 0 0\n" + begin("") + debian + strings.ReplaceAll(debian, "root", "other") + end,
			of(lib64, "file /a c 0755 0 0", above, loaded, libc)},
		{"the same in two directories", "file /a c 0755 0 0\n" + begin("") + debian + "#: library other.deb\nfile /usr/lib/libc.so.6 libc 0644 0 0\n" + end,
			of(lib64, "file /a c 0755 0 0", above, loaded, libc)},
		{"the program's own search path", "file /bin/origin origin 0755 0 0\n" + begin("") + debian + "file /private/libm.so.6 libm2 0644 0 0\n" + end,
			of(lib64, "dir /bin 0755 0 0", "file /bin/origin origin 0755 0 0", above, loaded, libc, "dir /private 0755 0 0", "file /private/libm.so.6 libm2 0644 0 0")},
		{"variants for some CPUs", "file /a c 0755 0 0\n" + begin("") + debian + "file /usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/libc.so.6 libm2 0644 0 0\n" + end,
			of(lib64, "file /a c 0755 0 0", above, loaded, libc, "dir /usr/lib/x86_64-linux-gnu/glibc-hwcaps 0755 0 0",
				"dir /usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3 0755 0 0", "file /usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/libc.so.6 libm2 0644 0 0")},
		{"musl", "file /a musl 0755 0 0\n" + begin("") + "#: library musl\nfile /lib/ld-musl-x86_64.so.1 ld 0755 0 0\nslink /lib/libc.musl-x86_64.so.1 ld-musl-x86_64.so.1 0777 0 0\nfile /usr/lib/libm2.so libv 0644 0 0\n" + end,
			of("file /a musl 0755 0 0", "dir /lib 0755 0 0", "file /lib/ld-musl-x86_64.so.1 ld 0755 0 0", "dir /usr 0755 0 0", "dir /usr/lib 0755 0 0", "file /usr/lib/libm2.so libv 0644 0 0")},
		{"what a note recommends", "file /a notes 0755 0 0\n" + begin("") + debian + "file /usr/lib/libs.so libv 0644 0 0\n" + end,
			of(lib64, "file /a notes 0755 0 0", above, loaded, libc, libm)},
		{"what a note suggests", "file /a notes 0755 0 0\n" + begin("dlopen=suggested") + debian + "file /usr/lib/libs.so libv 0644 0 0\n" + end,
			of(lib64, "file /a notes 0755 0 0", above, loaded, libc, libm, "file /usr/lib/libs.so libv 0644 0 0")},
		{"features", "file /a notes 0755 0 0\n" + begin("feature=-math feature=more") + debian + "file /usr/lib/libs.so libv 0644 0 0\n" + end,
			of(lib64, "file /a notes 0755 0 0", above, loaded, libc, "file /usr/lib/libs.so libv 0644 0 0")},
		{"no notes", "file /a notes 0755 0 0\n" + begin("dlopen=none") + debian + end, of(lib64, "file /a notes 0755 0 0", above, loaded, libc)},
		{"extras", "file /a c 0755 0 0\nfile /etc/nsswitch.conf nsswitch 0644 0 0\n" + begin("extra=nss extra=libgcc_s extra=gconv") + debian +
			"file /usr/lib/libgcc_s.so.1 libm 0644 0 0\nfile /usr/lib/libnss_compat.so.2 libv 0644 0 0\nfile /usr/lib/libnss_db.so.2 libv 0644 0 0\n" +
			"file /usr/lib/gconv/EUC-KR.so gconv-module 0644 0 0\nfile /usr/lib/gconv/libKSC.so libv 0644 0 0\nfile /usr/lib/gconv/ARM.so arm 0644 0 0\nfile /usr/lib/gconv/gconv-modules text 0644 0 0\n" + end,
			of(lib64, "file /a c 0755 0 0", "dir /etc 0755 0 0", "file /etc/nsswitch.conf nsswitch 0644 0 0", above, loaded, libc,
				"file /usr/lib/libgcc_s.so.1 libm 0644 0 0", "file /usr/lib/libnss_compat.so.2 libv 0644 0 0", "dir /usr/lib/gconv 0755 0 0",
				"file /usr/lib/gconv/EUC-KR.so gconv-module 0644 0 0", "file /usr/lib/gconv/libKSC.so libv 0644 0 0", "file /usr/lib/gconv/gconv-modules text 0644 0 0")},
		{"a plugin, whose libraries may be loaded already", "file /lib/plugin.so plugin 0644 0 0\n" + begin("") + debian + end,
			of("dir /lib 0755 0 0", "file /lib/plugin.so plugin 0644 0 0")},
		{"a layer's own changes", "file /a c 0755 0 0\n" + begin("") + debian + "#: library //:layer\n#: origin //:layer\nfile /usr/lib/libm.so.6 libm 0644 0 0\n#: metadata /usr/lib/libm.so.6 mode=0600\n" + end,
			of(lib64, "file /a c 0755 0 0", above, loaded, libc)},
	} {
		t.Run(test.name, func(t *testing.T) {
			entries, err := completeLibraries(t, test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, packtest.Lines(entries)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, e := range entries {
				if wasTaken := e.Pos.File != ""; wasTaken && e.Reason == "" && e.Kind != list.Dir {
					t.Errorf("%s has no reason", e)
				}
			}
		})
	}
}

func TestLibrariesErrors(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct{ name, text string }{
		{"no loader", "file /a c 0755 0 0\n" + begin("") + "#: library libc\nfile /usr/lib/libc.so.6 libc 0644 0 0\n" + end},
		{"a loader for another architecture", "file /a c 0755 0 0\n" + begin("") + "#: library libc\nfile /lib64/ld-linux-x86-64.so.2 arm 0755 0 0\nfile /usr/lib/libc.so.6 libc 0644 0 0\n" + end},
		{"no library", "file /a a 0755 0 0\n" + begin("") + "#: library libc\nfile /lib64/ld-linux-x86-64.so.2 ld 0755 0 0\nfile /usr/lib/libm.so.6 libm 0644 0 0\n" + end},
		{"another architecture", "file /a c 0755 0 0\n" + begin("") + "#: library libc\nfile /lib64/ld-linux-x86-64.so.2 ld 0755 0 0\nfile /usr/lib/libc.so.6 arm 0644 0 0\n" + end},
		{"not searched", "file /a c 0755 0 0\n" + begin("") + "#: library libc\nfile /lib64/ld-linux-x86-64.so.2 ld 0755 0 0\nfile /opt/libc.so.6 libc 0644 0 0\n" + end},
		{"$ORIGIN of the first program", "file /init origin 0755 0 0\n" + begin("") + "#: library libc\nfile /lib64/ld-linux-x86-64.so.2 ld 0755 0 0\nfile /private/libm.so.6 libv 0644 0 0\n" + end},
		{"no version", "file /a newer 0755 0 0\n" + begin("") + "#: library libc\nfile /lib64/ld-linux-x86-64.so.2 ld 0755 0 0\nfile /usr/lib/libv.so libv 0644 0 0\n" + end},
		{"two contents", "file /a c 0755 0 0\n" + begin("") + debian + "#: library other.deb\nfile /usr/lib/x86_64-linux-gnu/libc.so.6 libm2 0755 1 2\n" + end},
		{"two contents in two directories", "file /a c 0755 0 0\n" + begin("") + debian + "#: library other.deb\nfile /usr/lib/libc.so.6 libm2 0755 1 2\n" + end},
		{"a required note", "file /a requires 0755 0 0\n" + begin("") + debian + end},
		{"a feature that is missing", "file /a notes 0755 0 0\n" + begin("feature=more") + debian + end},
		{"an unknown feature", "file /a notes 0755 0 0\n" + begin("feature=maths") + debian + end},
		{"no name service", "file /a c 0755 0 0\nfile /etc/nsswitch.conf nsswitch 0644 0 0\n" + begin("extra=nss") + debian + end},
		{"no conversions", "file /a c 0755 0 0\n" + begin("extra=gconv") + debian + end},
		{"extras without a program", "file /a static 0755 0 0\n" + begin("extra=libgcc_s") + debian + end},
		{"an unknown extra", "file /a c 0755 0 0\n" + begin("extra=locale") + debian + end},
		{"an unknown field", "file /a c 0755 0 0\n" + begin("sources=all") + debian + end},
		{"no end", "file /a c 0755 0 0\n" + begin("") + debian},
		{"libraries in a source", begin("") + debian + begin("")},
		{"a source without libraries", debian},
		{"an end without libraries", end},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := completeLibraries(t, test.text)
			if err == nil {
				t.Fatal("no error")
			}
			for _, place := range packtest.Places(err) {
				if place != "//:a" {
					t.Errorf("an error at %q", place)
				}
			}
			messages[test.name] = err.Error()
		})
	}
	golden.Messages(t, "TestLibrariesErrors.txt", messages)
}

// Links may lead to each other, and names may be very long.
func FuzzLibraries(f *testing.F) {
	f.Add("usr/lib64", "../lib/x", "passwd: files [x] dns")
	f.Add("/lib64", "ld-linux-x86-64.so.2", "a:[")
	f.Add("..", "/usr/lib64/ld-linux-x86-64.so.2", ":[]]")
	f.Fuzz(func(t *testing.T, root, target, services string) {
		for _, service := range parseServices(services) {
			if service == "" || strings.ContainsAny(service, " /[") {
				t.Errorf("the service %q", service)
			}
		}
		if root == "" || target == "" || strings.ContainsRune(root+target, 0) || len(root+target) > list.MaxPath {
			return
		}
		packtest.InTree(t, libraryFiles)
		entry := func(kind list.Kind, name, text string) *list.Entry {
			return &list.Entry{Kind: kind, Name: name, Target: text, Location: text, Perm: 0o755, Pos: list.Pos{Origin: "//:a"}}
		}
		l := &source.Libraries{Directive: &list.Directive{Pos: list.Pos{Origin: "//:a"}}, Sources: []*source.LibrarySource{{Label: "s", Entries: []*list.Entry{
			entry(list.Symlink, "lib64", root), entry(list.Symlink, "usr/lib64/ld-linux-x86-64.so.2", target), entry(list.File, "usr/lib/x", "ld"),
		}}}}
		own := []*list.Entry{entry(list.File, "a", "c")}
		entries, err := takeLibraries(own, l)
		if err == nil {
			t.Errorf("a program without its library: %v", entries)
		}
	})
}
