package lint

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// record is one of an archive.
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
func static(name string) record          { return exe(name, elfFields{}.String()) }
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

// findings returns those of a rule, a line each without the fix; of all rules, if
// it is empty.
func findings(t *testing.T, img string, o Options, rule string) []string {
	t.Helper()
	var got []string
	err := Run(image.NewReader(strings.NewReader(img)), o, func(f Finding) error {
		if f.Fix == "" || f.Message == "" || f.Entry == "" {
			t.Errorf("not all is said: %+v", f)
		}
		if rule == "" {
			got = append(got, fmt.Sprintf("%s %s: %s: %s", f.Severity, f.Rule, f.Entry, f.Message))
		} else if f.Rule == rule {
			got = append(got, f.Entry+": "+f.Message)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const (
	loader = "/lib/ld.so"
	shell  = "#!/bin/sh\n"
)

// so is a shared object that needs others.
func so(needed ...string) string { return elfFields{kind: elf.ET_DYN, needed: needed}.String() }

// linked is a program that needs shared objects.
func linked(needed ...string) string { return elfFields{interp: loader, needed: needed}.String() }

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
		a, err := ParseArch(name)
		if err != nil {
			t.Fatal(err)
		}
		return Options{Arch: a}
	}
	for _, test := range []struct {
		rule, name string
		records    []record // behind parents
		img        string   // in place of records
		options    Options
		want       []string
	}{
		{rule: "missing-parent", name: "below directories, root included", records: []record{dir("."), file("bin/a", "")}},
		{rule: "missing-parent", name: "no directory", records: []record{file("srv/a/b", ""), file("srv", "")},
			want: []string{"/srv/a/b: the kernel drops it: there is no directory /srv"}},
		{rule: "missing-parent", name: "too late", records: []record{file("srv/b", ""), dir("srv")},
			want: []string{"/srv/b: the kernel drops it: there is no directory /srv"}},
		{rule: "missing-parent", name: "by way of a link", records: []record{slink("sbin", "bin"), file("sbin/a", ""), slink("var", "srv"), file("var/b", "")},
			want: []string{"/var/b: the kernel drops it: there is no directory /srv"}},

		{rule: "dropped", name: "nothing", records: []record{file("bin/a", "x"), slink("bin/b", "a")}},
		{rule: "dropped", name: "content", records: []record{raw(0o010644, "bin/a", "x")},
			want: []string{"/bin/a: the kernel drops it: it has content and is not a regular file"}},
		{rule: "dropped", name: "a file for a directory", records: []record{file("usr", "x")},
			want: []string{"/usr: the kernel drops it: a directory of that name is not empty"}},
		{rule: "dropped", name: "no type", records: []record{raw(0o644, "bin/a", "")},
			want: []string{"/bin/a: the kernel drops it: there is no type 0"}},

		{rule: "duplicate", name: "a directory again", records: []record{dir("bin"), dir("./bin/")}},
		{rule: "duplicate", name: "a directory with another owner", records: []record{dir("bin").owner(7)},
			want: []string{"/bin: it is there again, as a directory of mode 0755, owner 7:0; before mode 0755, owner 0:0"}},
		{rule: "duplicate", name: "a file again", records: []record{file("bin/a", "1"), file("/bin/../bin/a", "1").mode(0o600)},
			want: []string{"/bin/a: it is there again, as a file of mode 0600, owner 0:0; before mode 0644, owner 0:0"}},
		{rule: "duplicate", name: "by way of a link", records: []record{slink("sbin", "bin"), file("bin/a", "1"), file("sbin/a", "1")},
			want: []string{"/bin/a: it is there again, as a file of mode 0644, owner 0:0; before mode 0644, owner 0:0"}},
		{rule: "duplicate", name: "another type", records: []record{slink("lib", "usr/lib")},
			want: []string{"/lib: it is there again; before it was a directory"}},
		{rule: "duplicate", name: "in another member", img: archive(t, dir("a"), file("b", "")) + packed(t, "gzip", archive(t, dir("a"), file("b", ""))),
			want: []string{"/b: it is there again, as a file of mode 0644, owner 0:0; before in member 1 mode 0644, owner 0:0"}},

		{rule: "no-init", name: "a program", records: []record{static("init")}},
		{rule: "no-init", name: "a script", records: []record{exe("init", shell)}},
		{rule: "no-init", name: "a link", records: []record{slink("init", "bin/init"), static("bin/init")}},
		{rule: "no-init", name: "another", records: []record{static("bin/init")}, options: Options{Init: "/bin/init"}},
		{rule: "no-init", name: "none", want: []string{"/init: it is not there: the kernel would go on to mount a root file system"}},
		{rule: "no-init", name: "no other", records: []record{static("init")}, options: Options{Init: "/bin/init"},
			want: []string{"/bin/init: it is not there: the kernel would go on to mount a root file system"}},
		{rule: "no-init", name: "a link to nothing", records: []record{slink("init", "sbin/init")},
			want: []string{"/init: the kernel cannot start it: it leads to /sbin/init, which is not there"}},
		{rule: "no-init", name: "a loop", records: []record{slink("init", "init")},
			want: []string{"/init: the kernel cannot start it: it leads over too many symbolic links"}},
		{rule: "no-init", name: "a directory", records: []record{dir("init")},
			want: []string{"/init: the kernel cannot start it: it is a directory, not a file"}},
		{rule: "no-init", name: "not executable", records: []record{file("init", shell)},
			want: []string{"/init: the kernel cannot start it: its mode is 0644"}},
		{rule: "no-init", name: "no format", records: []record{exe("init", "echo hello\n")},
			want: []string{"/init: the kernel cannot start it: it begins neither as an ELF program nor with #!"}},
		{rule: "no-init", name: "the last one counts", records: []record{static("init"), exe("init", "x")},
			want: []string{"/init: the kernel cannot start it: it begins neither as an ELF program nor with #!"}},
		{rule: "no-init", name: "the content of a hard link", records: []record{
			{cpio.Header{Name: "init", Mode: 0o100755, NLink: 2, Ino: 9}, ""}, {cpio.Header{Name: "bin/init", Mode: 0o100755, NLink: 2, Ino: 9}, elfFields{}.String()}}},

		{rule: "interpreter", name: "there", records: []record{static("bin/sh"), exe("a", shell), exe("b", "#! bin/sh -e\n"), file("c", "#!/bin/ash\n")}},
		{rule: "interpreter", name: "a link", records: []record{static("bin/busybox"), slink("bin/sh", "busybox"), exe("a", shell)}},
		{rule: "interpreter", name: "in what is mounted", records: []record{exe("a", "#!/run/sw/sh\n")}},
		{rule: "interpreter", name: "missing", records: []record{exe("a", shell)}, want: []string{"/a: its interpreter is not in the image: /bin/sh"}},
		{rule: "interpreter", name: "a link to nothing", records: []record{exe("a", shell), slink("bin/sh", "dash")},
			want: []string{"/a: its interpreter is not in the image: /bin/sh, which leads to /bin/dash"}},
		{rule: "interpreter", name: "a carriage return", records: []record{static("bin/sh"), exe("a", "#!/bin/sh\r\n")},
			want: []string{"/a: its interpreter is not in the image: /bin/sh\r"}},
		{rule: "interpreter", name: "not executable", records: []record{static("bin/sh").mode(0o644), exe("a", shell)},
			want: []string{"/a: its interpreter is not executable: /bin/sh has mode 0644"}},
		{rule: "interpreter", name: "a directory", records: []record{exe("a", "#!/bin\n")}, want: []string{"/a: its interpreter is a directory: /bin"}},
		{rule: "interpreter", name: "five scripts", records: []record{exe("a", "#!b"), exe("b", "#!c"), exe("c", "#!d"), exe("d", "#!e"), exe("e", "#!f"), static("f")}},
		{rule: "interpreter", name: "six scripts", records: []record{exe("a", "#!b"), exe("b", "#!c"), exe("c", "#!d"), exe("d", "#!e"), exe("e", "#!f"), exe("f", "#!g"), static("g")},
			want: []string{"/a: its interpreter, b, is a script, and so on: the kernel follows 5 scripts"}},
		{rule: "interpreter", name: "itself", records: []record{exe("bin/sh", shell)},
			want: []string{"/bin/sh: its interpreter, /bin/sh, is a script, and so on: the kernel follows 5 scripts"}},
		{rule: "interpreter", name: "no name", records: []record{exe("a", "#!\n")}, want: []string{"/a: " + errNoInterpreter.Error()}},
		{rule: "interpreter", name: "written over", records: []record{exe("a", shell), exe("a", "x")}},
		{rule: "interpreter", name: "a file with two names", records: []record{
			{cpio.Header{Name: "a", Mode: 0o100755, NLink: 2, Ino: 9}, ""}, {cpio.Header{Name: "b", Mode: 0o100755, NLink: 2, Ino: 9}, shell}},
			want: []string{"/a: its interpreter is not in the image: /bin/sh"}},

		{rule: "elf-interpreter", name: "there, or none needed", records: []record{ld, exe("a", linked()), static("b"), exe("c", so())}},
		{rule: "elf-interpreter", name: "missing", records: []record{exe("a", linked()), file("b", linked())},
			want: []string{"/a: its dynamic loader is not in the image: /lib/ld.so"}},
		{rule: "elf-interpreter", name: "not executable", records: []record{ld.mode(0o644), exe("a", linked())},
			want: []string{"/a: its dynamic loader is not executable: /lib/ld.so has mode 0644"}},

		{rule: "library", name: "where all look", records: []record{ld, exe("a", linked("liba.so", "libb.so.1")), file("lib/liba.so", so("libc.so.6", "ld.so")),
			dir("usr/lib/x86_64-linux-gnu"), file("usr/lib/libb.so.1.2", so()), slink("usr/lib/libb.so.1", "libb.so.1.2"), file("usr/lib/x86_64-linux-gnu/libc.so.6", so())}},
		{rule: "library", name: "by way of links", records: []record{dir("usr/lib64"), slink("lib64", "usr/lib64"), ld, exe("a", linked("liba.so")), file("lib64/liba.so", so())}},
		{rule: "library", name: "missing", records: []record{ld, exe("a", linked("liba.so", "libb.so")), file("lib/liba.so", so("libc.so"))},
			want: []string{"/a: it needs libb.so, which is not in the image", "/lib/liba.so: it needs libc.so, which is not in the image"}},
		{rule: "library", name: "elsewhere", records: []record{ld, exe("a", linked("liba.so")), file("opt/liba.so", so())},
			want: []string{"/a: it needs liba.so, which is at /opt/liba.so, where its loader does not look"}},
		{rule: "library", name: "for another architecture", records: []record{ld, exe("a", linked("liba.so")), file("lib/liba.so", elfFields{kind: elf.ET_DYN, arch: "arm64"}.String())},
			want: []string{"/a: it needs liba.so, which is there only for arm64: /lib/liba.so"}},
		{rule: "library", name: "no shared object", records: []record{ld, exe("a", linked("liba.so")), file("lib/liba.so", "GROUP ( liba.so.1 )")},
			want: []string{"/a: it needs liba.so, which is not in the image"}},
		{rule: "library", name: "runpath", records: []record{ld, dir("opt/bin"), dir("opt/lib"),
			exe("opt/bin/a", elfFields{interp: loader, needed: []string{"liba.so"}, runpath: "/nowhere:$ORIGIN/../lib"}.String()), file("opt/lib/liba.so", so("libb.so")), file("opt/lib/libb.so", so())}},
		{rule: "library", name: "rpath", records: []record{ld, dir("opt/lib64"),
			exe("bin/a", elfFields{interp: loader, needed: []string{"liba.so"}, rpath: "/opt/${LIB}"}.String()), file("opt/lib64/liba.so", so())}},
		{rule: "library", name: "a path", records: []record{ld, exe("opt/a", linked("/opt/liba.so", "$ORIGIN/liba.so", "/opt/libb.so")), file("opt/liba.so", so())},
			want: []string{"/opt/a: it needs /opt/libb.so, which is not in the image"}},
		{rule: "library", name: "a plugin", records: []record{file("opt/liba.so", so("libb.so", "libc.so")), dir("opt/x"), file("opt/x/libb.so", so())},
			want: []string{"/opt/liba.so: it needs libc.so, which is not in the image"}},
		{rule: "library", name: "configured", records: []record{ld, dir("etc/d"), file("etc/ld.so.conf", "# all\ninclude d/*.conf\n"), file("etc/d/a.conf", "/opt # mine\n"),
			exe("a", linked("liba.so")), file("opt/liba.so", so())}},
		{rule: "library", name: "a cache", records: []record{ld, file("etc/ld.so.cache", "x"), exe("a", linked("liba.so", "libb.so")), file("opt/liba.so", so())},
			want: []string{"/a: it needs libb.so, which is not in the image"}},
		{rule: "library", name: "hardware capabilities", records: []record{ld, dir("lib/glibc-hwcaps"), dir("lib/glibc-hwcaps/x86-64-v3"), exe("a", linked("liba.so")), file("lib/glibc-hwcaps/x86-64-v3/liba.so", so())}},
		{rule: "library", name: "musl", records: []record{exe("lib/ld-musl-x86_64.so.1", so()), file("etc/ld-musl-x86_64.path", "/lib\n/opt"), file("opt/liba.so", so("libc.so")),
			exe("a", elfFields{interp: "/lib/ld-musl-x86_64.so.1", needed: []string{"libc.musl-x86_64.so.1", "liba.so", "libx.so"}}.String())},
			want: []string{"/a: it needs libx.so, which is not in the image"}},
		{rule: "library", name: "what is no program", records: []record{dir("lib/firmware"), dir("lib/modules"), file("a", linked("liba.so")), exe("lib/firmware/a.so", linked("liba.so")),
			exe("lib/modules/vdso.so", so("liba.so")), exe("a.so.debug", so("liba.so")), exe("b.ko", "\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 9)+"\x01\x00"+strings.Repeat("\x00", 99))}},

		{rule: "bad-elf", name: "whole", records: []record{static("a")}},
		{rule: "bad-elf", name: "cut off", records: []record{exe("a", elfFields{}.String()[:120]), file("data", elfFields{}.String()[:120])},
			want: []string{"/a: damaged: a segment ends behind it, which has 120 bytes: it has been cut off"}},

		{rule: "architecture", name: "one", records: []record{static("a"), exe("b", so())}, options: arch("amd64")},
		{rule: "architecture", name: "another than wanted", records: []record{static("a"), exe("b", elfFields{arch: "arm64"}.String())}, options: arch("aarch64"),
			want: []string{"/a: it is for x86_64; want arm64"}},
		{rule: "architecture", name: "mixed: init tells", records: []record{static("a"), static("b"), exe("init", "#!/bin/sh"), exe("bin/sh", elfFields{arch: "s390x"}.String())},
			want: []string{"/a: it is for x86_64, and /bin/sh for s390x", "/b: it is for x86_64, and /bin/sh for s390x"}},
		{rule: "architecture", name: "mixed: the most tell", records: []record{exe("z", elfFields{arch: "mips"}.String()), static("a"), static("b")},
			want: []string{"/z: it is for mips, and /a for x86_64"}},
		{rule: "architecture", name: "data", records: []record{static("a"), file("b", elfFields{arch: "mips"}.String())}},
		{rule: "architecture", name: "a library", records: []record{static("init"), file("b.so", elfFields{kind: elf.ET_DYN, arch: "mips"}.String())},
			want: []string{"/b.so: it is for mips, and /init for x86_64"}},
		{rule: "architecture", name: "one that is not in the table", records: []record{static("init"), exe("b", "\x7fELF\x02\x01"+elfFields{}.String()[6:18]+"\xf3\xff"+elfFields{}.String()[20:])},
			want: []string{"/b: it is for ELF machine 65523 (ELFCLASS64, ELFDATA2LSB), and /init for x86_64"}},
		{rule: "architecture", name: "64 bits for a 32-bit kernel", records: []record{static("a")}, options: arch("i386"), want: []string{"/a: it is for x86_64; want i386"}},
		{rule: "architecture", name: "32 bits for a 64-bit kernel", records: []record{exe("a", elfFields{arch: "i386"}.String())}, options: arch("x86_64")},
		{rule: "mixed-class", name: "32 bits for a 64-bit kernel", records: []record{static("init"), exe("a", elfFields{arch: "i386"}.String()), exe("b", elfFields{arch: "arm"}.String())},
			want: []string{"/a: it is for i386, and /init for x86_64"}},

		{rule: "dangling-symlink", name: "fine", records: []record{slink("a", "/bin"), slink("b", "a"), slink("c", "/proc/self/mounts"), slink("bin/d", "../run/x"), slink("var", "/run"), slink("e", "/var/x")}},
		{rule: "dangling-symlink", name: "nowhere", records: []record{slink("bin/a", "/sbin/b"), slink("bin/b", "c"), slink("d", "d")},
			want: []string{"/bin/a: it leads to /sbin/b, which is not in the image", "/bin/b: it leads to /bin/c (to c), which is not in the image",
				"/d: it leads over too many symbolic links, by way of d"}},

		{rule: "no-console", name: "there", records: []record{console}},
		{rule: "no-console", name: "none", want: []string{"/dev/console: it is not in the image: the kernel's built-in archive normally has it; it is needed where that is replaced, and without devtmpfs"}},
		{rule: "no-console", name: "a file", records: []record{file("dev/console", "")},
			want: []string{"/dev/console: it is a file, not a character device: the kernel's built-in archive normally has it; it is needed where that is replaced, and without devtmpfs"}},
		{rule: "no-console", name: "another device", records: []record{{cpio.Header{Name: "dev/console", Mode: 0o020600, NLink: 1, RMajor: 4, RMinor: 64}, ""}},
			want: []string{"/dev/console: its numbers are 4:64, not 5:1: the kernel's built-in archive normally has it; it is needed where that is replaced, and without devtmpfs"}},

		{rule: "setuid", name: "files only", records: []record{file("a", "").mode(0o4755), file("b", "").mode(0o2755).owner(7), file("c", "").mode(0o1755), dir("d").mode(0o2755)},
			want: []string{"/a: mode 4755, owner 0:0", "/b: mode 2755, owner 7:0"}},
		{rule: "world-writable", name: "files and directories", records: []record{file("a", "").mode(0o666), file("b", "").mode(0o660), dir("c").mode(0o777), dir("d").mode(0o1777), slink("e", "a"), console.mode(0o666)},
			want: []string{"/a: a file of mode 0666", "/c: a directory of mode 0777"}},

		{rule: "odd-name", name: "none", records: []record{dir("."), dir(""), file("a-b_.+~é", ""), file(".hidden", ""), file("bin/...", "")}},
		{rule: "odd-name", name: "all", records: []record{file("a b", ""), file("a\tb", ""), file("a\x1bb", ""), file("a\xffb", ""), file("./b", ""), file("/c", ""), file("bin/../d", ""), dir("e/"), file("-f", ""), file("bin/-rf /x", "")},
			want: []string{"/a b: its name has white space in it", "/a\tb: its name has white space in it", "/a\x1bb: its name has control characters in it", "/a\xffb: its name is not UTF-8",
				"/b: its name begins with ./", "/c: its name begins with a slash", "/d: its name has .. in it", "/e: its name ends in a slash", "/-f: its name has a component that begins with a dash",
				"/bin/-rf /x: its name has a component that begins with a dash, has white space in it"}},

		{rule: "codec", name: "not known", img: packed(t, "xz", archive(t))},
		{rule: "codec", name: "built in", img: packed(t, "xz", archive(t)), options: config("CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_XZ=y\n")},
		{rule: "codec", name: "not compressed", img: archive(t), options: config("CONFIG_BLK_DEV_INITRD=y\n")},
		{rule: "codec", name: "not built in", img: archive(t, file("a", "")) + packed(t, "xz", archive(t)), options: config("CONFIG_BLK_DEV_INITRD=y\n# CONFIG_RD_XZ is not set\n"),
			want: []string{"member 2: xz, at byte 512: the kernel is built without CONFIG_RD_XZ"}},
		{rule: "codec", name: "of a list", img: packed(t, "lzo", archive(t)) + packed(t, "zstd", archive(t)), options: codecs("zstd,gzip"),
			want: []string{"member 1: lzo, at byte 0: the kernel is built without CONFIG_RD_LZO"}},
		{rule: "codec", name: "no images", img: packed(t, "xz", archive(t)), options: config("CONFIG_RD_XZ=y\n# CONFIG_BLK_DEV_INITRD is not set\n"),
			want: []string{"image: the kernel unpacks no image: it is built without CONFIG_BLK_DEV_INITRD"}},

		{rule: "no-trailer", name: "there", img: archive(t)},
		{rule: "no-trailer", name: "none", img: archive(t, file("a", ""))[:112], want: []string{"image: no trailer at its end: it may have been cut off, which the kernel does not see"}},
		{rule: "unpack", name: "junk", img: archive(t) + "junk", want: []string{"image: byte 512: no magic of an archive or of a codec"}},
		{rule: "unpack", name: "cut off in a program", img: archive(t, exe("a", linked("a", "b")))[:300], want: []string{"image: byte 300 (byte 300 of member 1, not compressed): unexpected EOF"}},
	} {
		if test.img == "" {
			test.img = archive(t, append(slices.Clone(parents), test.records...)...)
		}
		if diff := cmp.Diff(test.want, findings(t, test.img, test.options, test.rule)); diff != "" {
			t.Errorf("%s: %s: (-want +got)\n%s", test.rule, test.name, diff)
		}
	}
}

// Findings come in the order of the entries, then of the table; members before
// their entries, the image last.
func TestOrder(t *testing.T) {
	img := archive(t, dir("z").mode(0o777), file("z/b c", "").mode(0o4777)) + packed(t, "gzip", archive(t, file("a/b", ""), file("z/b c", "")))
	kernel, err := ParseCodecs("none")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"warning world-writable: /z: a directory of mode 0777",
		"error odd-name: /z/b c: its name has white space in it",
		"error codec: member 2: gzip, at byte 512: the kernel is built without CONFIG_RD_GZIP",
		"error missing-parent: /a/b: the kernel drops it: there is no directory /a",
		"error duplicate: /z/b c: it is there again, as a file of mode 0644, owner 0:0; before in member 1 mode 4777, owner 0:0",
		"error odd-name: /z/b c: its name has white space in it",
		"error no-init: /init: it is not there: the kernel would go on to mount a root file system",
	}
	o := Options{Kernel: kernel, Off: []string{"no-console", "setuid"}, Errors: []string{"odd-name", "setuid"}}
	if diff := cmp.Diff(want, findings(t, img, o, "")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// After a fault only what was read is judged: what is missing may be behind it.
// The rule cannot be turned off.
func TestFault(t *testing.T) {
	img := archive(t, file("a/b", ""), slink("c", "d"), exe("e", shell)) + "junk"
	want := []string{
		"error missing-parent: /a/b: the kernel drops it: there is no directory /a",
		"error unpack: image: byte 512: no magic of an archive or of a codec",
	}
	if diff := cmp.Diff(want, findings(t, img, Options{Off: []string{unpackID}}, "")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A program that is too large for memory is read from a file, one after another.
func TestSpool(t *testing.T) {
	large := func(needed string) string {
		return elfFields{interp: loader, needed: []string{needed}, size: maxMemory + 1}.String()
	}
	img := archive(t, dir("lib"), exe("lib/ld.so", so()), exe("a", large("liba.so")), exe("b", large("libb.so")))
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	want := []string{"/a: it needs liba.so, which is not in the image", "/b: it needs libb.so, which is not in the image"}
	if diff := cmp.Diff(want, findings(t, img, Options{}, "library")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	t.Setenv("TMPDIR", dir+"/none")
	if err := Run(image.NewReader(strings.NewReader(img)), Options{}, nil); !errors.Is(err, os.ErrNotExist) {
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
	kernel, err := ReadConfig(strings.NewReader("CONFIG_BLK_DEV_INITRD=n\nCONFIG_RD_GZIP=y\n# CONFIG_RD_XZ=y\nCONFIG_RD_LZ4=m\nCONFIG_BLK_DEV_INITRD=y\n"))
	if err != nil || kernel.noInitrd || !slices.Equal(kernel.codecs, []string{"gzip"}) {
		t.Errorf("%+v, %v", kernel, err)
	}
	for _, text := range []string{"", "\x1f\x8b\x08junk", "hello\n", "CONFIG_RD_XZ=y\nhello\n"} {
		if _, err := ReadConfig(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for a configuration", text)
		}
	}
}

// Every byte may be anything: no panic, and the same findings each time.
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
			t.Errorf("not the same again:\n%s", diff)
		}
	})
}
