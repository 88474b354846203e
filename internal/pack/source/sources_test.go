package source_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// cpioRecord is one of a cpio archive.
type cpioRecord struct {
	name, body      string
	mode            uint32
	ino, nlink, uid uint32
	major, minor    uint32
}

// trailerRecord makes the kernel forget the files before it.
var trailerRecord = cpioRecord{name: "TRAILER!!!"}

func cpioArchive(t testing.TB, records ...cpioRecord) string {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	for _, r := range records {
		h := cpio.Header{Name: r.name, Mode: r.mode, Ino: r.ino, NLink: max(r.nlink, 1), UID: r.uid, GID: r.uid,
			RMajor: r.major, RMinor: r.minor, Size: int64(len(r.body))}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, r.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarball(t testing.TB, headers ...tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		body := ""
		if h.Typeflag == tar.TypeReg {
			body, h.Linkname = h.Linkname, ""
			h.Size = int64(len(body))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func packed(t testing.TB, codecName, content string) string {
	t.Helper()
	method, err := codec.Parse(codecName)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z, err := method.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(z, content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// shown prints entries as a list whose locations are the contents.
func shown(t testing.TB, entries []*list.Entry) []string {
	t.Helper()
	var lines []string
	for _, e := range entries {
		at := *e
		if e.Content != nil {
			content, err := io.ReadAll(io.NewSectionReader(e.Content, 0, e.Content.Size()))
			if err != nil {
				t.Fatal(err)
			}
			at.Location = "=" + string(content)
		}
		lines = append(lines, at.String())
	}
	return lines
}

// read returns what a file named "in" with this content gives.
func read(t *testing.T, content string) ([]string, error) {
	t.Helper()
	packtest.InTree(t, map[string]string{"in": content})
	sources, err := source.Open(context.Background(), []string{"in"}, source.Options{})
	if err != nil {
		return nil, err
	}
	lines := shown(t, sources.Entries)
	for _, e := range sources.Entries {
		if got := e.Pos.String(); e.Content != nil && got != "in" {
			t.Errorf("%s is from %q", e.Name, got)
		}
	}
	if err := sources.Close(); err != nil {
		t.Error(err)
	}
	return lines, nil
}

func TestReadCpio(t *testing.T) {
	dir := func(name string, mode uint32) cpioRecord { return cpioRecord{name: name, mode: 0o40000 | mode} }
	file := func(name, body string) cpioRecord { return cpioRecord{name: name, mode: 0o100644, body: body} }
	link := func(ino uint32, name, body string) cpioRecord {
		return cpioRecord{name: name, mode: 0o100755, ino: ino, nlink: 2, body: body}
	}
	tests := []struct {
		name string
		in   string
		want []string
	}{
		{"all kinds", cpioArchive(t, dir(".", 0o755), dir("./a", 0o1777), file("/a/f", "x"), cpioRecord{name: "l", mode: 0o120777, body: "a"},
			cpioRecord{name: "c", mode: 0o20600, major: 5, minor: 1, uid: 7}, cpioRecord{name: "b", mode: 0o60600, major: 8},
			cpioRecord{name: "p", mode: 0o10644}, cpioRecord{name: "s", mode: 0o140644}),
			[]string{"dir /. 0755 0 0", "dir /a 1777 0 0", "file /a/f =x 0644 0 0", "slink /l a 0777 0 0",
				"nod /c 0600 7 7 c 5 1", "nod /b 0600 0 0 b 8 0", "pipe /p 0644 0 0", "sock /s 0644 0 0"}},
		{"a root without a name", cpioArchive(t, dir("", 0o755)), []string{"dir /. 0755 0 0"}},
		{"data on the last record, the directory before it", cpioArchive(t, link(5, "a", ""), dir("d", 0o755), link(5, "d/b", "x")),
			[]string{"dir /d 0755 0 0", "file /a =x 0755 0 0 /d/b"}},
		{"data on the first record", cpioArchive(t, link(5, "a", "x"), link(5, "b", "")), []string{"file /a =x 0755 0 0 /b"}},
		{"the same number after a trailer", cpioArchive(t, link(5, "a", "x"), trailerRecord, link(5, "b", "y")),
			[]string{"file /a =x 0755 0 0", "file /b =y 0755 0 0"}},
		{"no link with one name", cpioArchive(t, cpioRecord{name: "a", mode: 0o100644, ino: 5}, cpioRecord{name: "b", mode: 0o100644, ino: 5}),
			[]string{"file /a = 0644 0 0", "file /b = 0644 0 0"}},
		{"a device has two names", cpioArchive(t, cpioRecord{name: "a", mode: 0o20600, ino: 5, nlink: 2, major: 1}, cpioRecord{name: "b", mode: 0o20666, ino: 5, nlink: 2, major: 1}),
			[]string{"nod /a 0600 0 0 c 1 0", "nod /b 0600 0 0 c 1 0"}},
		{"a later file", cpioArchive(t, file("a", "x"), file("b", "y"), file("./a", "z")), []string{"file /a =z 0644 0 0", "file /b =y 0644 0 0"}},
		{"a later file changes all names", cpioArchive(t, link(5, "a", ""), link(5, "b", "x"), file("a", "y")), []string{"file /a =y 0644 0 0 /b"}},
		{"owner -1", cpioArchive(t, cpioRecord{name: "a", mode: 0o100644, uid: 5}, cpioRecord{name: "a", mode: 0o100600, uid: 1<<32 - 1}, cpioRecord{name: "b", mode: 0o100600, uid: 1<<32 - 1}),
			[]string{"file /a = 0600 5 5", "file /b = 0600 4294967295 4294967295"}},
		{"a later device changes all names", cpioArchive(t, cpioRecord{name: "a", mode: 0o20600, ino: 5, nlink: 2, major: 1}, cpioRecord{name: "b", mode: 0o20600, ino: 5, nlink: 2, major: 1}, cpioRecord{name: "b", mode: 0o20666, major: 1}),
			[]string{"nod /a 0666 0 0 c 1 0", "nod /b 0666 0 0 c 1 0"}},
		{"below a symbolic link", cpioArchive(t, cpioRecord{name: "lib", mode: 0o120777, body: "usr/lib"}, file("lib/a", "x")), []string{"slink /lib usr/lib 0777 0 0", "file /lib/a =x 0644 0 0"}},
		{"a directory twice", cpioArchive(t, dir("a", 0o755), dir("a/b", 0o755), dir("a", 0o700)), []string{"dir /a 0700 0 0", "dir /a/b 0755 0 0"}},
		{"another type", cpioArchive(t, dir("a", 0o755), file("a", "x"), cpioRecord{name: "b", mode: 0o120777, body: "x"}, cpioRecord{name: "b", mode: 0o120777, body: "y"}),
			[]string{"file /a =x 0644 0 0", "slink /b y 0777 0 0"}},
		{"a link replaces a file", cpioArchive(t, file("b", "old"), link(5, "a", ""), link(5, "b", "x")), []string{"file /a =x 0755 0 0 /b"}},
		{"members", cpioArchive(t, file("a", "x")) + packed(t, "gzip", cpioArchive(t, file("b", "y"))) + packed(t, "zstd", cpioArchive(t, file("c", "z"))),
			[]string{"file /a =x 0644 0 0", "file /b =y 0644 0 0", "file /c =z 0644 0 0"}},
		{"zeros in front", strings.Repeat("\x00", 8) + cpioArchive(t, file("a", "x")), []string{"file /a =x 0644 0 0"}},
		{"nothing", cpioArchive(t), nil},
		{"zeros", strings.Repeat("\x00", 10240), nil},
		{"an empty list", "", nil},
		{"a list", "dir /a 0755 0 0\n", []string{"dir /a 0755 0 0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(t, test.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadCpioErrors(t *testing.T) {
	dir := cpioRecord{name: "d", mode: 0o40755}
	inDir := cpioRecord{name: "d/f", mode: 0o100644}
	link := cpioRecord{name: "a", mode: 0o100644, ino: 5, nlink: 2}
	texts := map[string]string{}
	tests := []struct {
		name string
		in   string
		want []string
	}{
		{"names", cpioArchive(t, cpioRecord{name: "a/../../b", mode: 0o100644}, cpioRecord{name: "x", mode: 0o150000}, cpioRecord{name: "/", mode: 0o100644}),
			[]string{"/b", "/x", "/"}},
		{"lost by the kernel", cpioArchive(t, dir, inDir, cpioRecord{name: "d", mode: 0o100644}, cpioRecord{name: "d", mode: 0o120777, body: "x"}, cpioRecord{name: "p", mode: 0o10644, body: "x"},
			cpioRecord{name: "l", mode: 0o120777}),
			[]string{"/d", "/d", "/p", "/l"}},
		{"devices", cpioArchive(t, cpioRecord{name: "c", mode: 0o20600, major: 4096}, cpioRecord{name: "d", mode: 0o20600, major: 1}, cpioRecord{name: "d", mode: 0o20600, major: 2}),
			[]string{"/c", "/d"}},
		{"links", cpioArchive(t, link, link), []string{"/a"}},
		{"link to what is gone", cpioArchive(t, link, cpioRecord{name: "a", mode: 0o40755}, cpioRecord{name: "b", mode: 0o100644, ino: 5, nlink: 2}),
			[]string{"/b"}},
		{"link to what became a symbolic link", cpioArchive(t, link, cpioRecord{name: "a", mode: 0o120777, body: "x"}, cpioRecord{name: "b", mode: 0o100644, ino: 5, nlink: 2}),
			[]string{"/b"}},
		{"link to another pipe", cpioArchive(t, cpioRecord{name: "a", mode: 0o10644, ino: 5, nlink: 2}, cpioRecord{name: "a", mode: 0o100644}, cpioRecord{name: "b", mode: 0o10644, ino: 5, nlink: 2}),
			[]string{"/b"}},
		{"link to another device", cpioArchive(t, cpioRecord{name: "c", mode: 0o20600, ino: 5, nlink: 2, major: 1}, cpioRecord{name: "d", mode: 0o20600, ino: 5, nlink: 2, major: 2}),
			[]string{"/d"}},
		{"slashes", cpioArchive(t, cpioRecord{name: "f/", mode: 0o100644}, cpioRecord{name: "l", mode: 0o120777, body: "d"}, cpioRecord{name: "l/", mode: 0o40755}), []string{"/f", "/l"}},
		{"below a file", cpioArchive(t, cpioRecord{name: "f", mode: 0o100644}, cpioRecord{name: "f/x", mode: 0o100644}), []string{"/f/x"}},
		{"in place of a directory that only a name implies", cpioArchive(t, inDir, cpioRecord{name: "d", mode: 0o100644}), []string{"/d"}},
		{"a name without its directory", cpioArchive(t, cpioRecord{name: "a", mode: 0o100644, ino: 5, nlink: 2, body: "x"}, cpioRecord{name: "n/b", mode: 0o100644, ino: 5, nlink: 2}),
			[]string{"/n/b"}},
		{"a name before its directory", cpioArchive(t, cpioRecord{name: "d/b", mode: 0o100644, ino: 5, nlink: 2, body: "x"}, dir, link), []string{"/d/b"}},
		{"below a link that changes", cpioArchive(t, dir, cpioRecord{name: "l", mode: 0o120777, body: "d"}, cpioRecord{name: "l/f", mode: 0o100644, body: "x"}, cpioRecord{name: "l", mode: 0o120777, body: "e"}),
			[]string{"/d/f"}},
		{"a group of an earlier set-group-ID directory", cpioArchive(t, cpioRecord{name: "d", mode: 0o42755, uid: 6}, cpioRecord{name: "d/f", mode: 0o100644, uid: 1<<32 - 1}, dir),
			[]string{"/d/f"}},
		{"a record after an error of its file", cpioArchive(t, cpioRecord{name: "a/../b", mode: 0o100644}, cpioRecord{name: "b", mode: 0o100644, body: "x"}), []string{"/b"}},
		{"cut", cpioArchive(t, dir)[:112], []string{""}},
		{"cut inside", cpioArchive(t, dir)[:100], []string{""}},
		{"junk", cpioArchive(t, dir) + "junk", []string{""}},
		{"old cpio", "070707" + strings.Repeat("0", 100), []string{""}},
		{"a compressed list", packed(t, "gzip", "dir /a 0755 0 0\n"), []string{""}},
		{"bootconfig", cpioArchive(t, dir) + "a=1\x00\x04\x00\x00\x00\xcf\x00\x00\x00#BOOTCONFIG\n",
			[]string{""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := read(t, test.in)
			if diff := cmp.Diff(test.want, pathsOf(err)); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			texts[test.name] = fmt.Sprint(err)
		})
	}
	golden.Messages(t, "TestReadCpioErrors.txt", texts)
}

// pathsOf returns the paths that errors of the file "in" are about; empty where one is
// about the whole file.
func pathsOf(err error) []string {
	var paths []string
	for _, text := range packtest.Messages(err) {
		path, _, _ := strings.Cut(strings.TrimPrefix(text, "in: "), ": ")
		if !strings.HasPrefix(path, "/") {
			path = ""
		}
		paths = append(paths, path)
	}
	return paths
}

func TestReadCpioManyErrors(t *testing.T) {
	var records []cpioRecord
	for i := range 1000 {
		records = append(records, cpioRecord{name: fmt.Sprint(i), mode: 0o150000})
	}
	_, err := read(t, cpioArchive(t, records...))
	if got := packtest.Messages(err); len(got) != list.MaxErrors+1 || got[list.MaxErrors] != "in: too many errors: the rest is left out" {
		t.Errorf("%d errors, the last of them %q", len(got), got[len(got)-1])
	}
}

func TestReadTar(t *testing.T) {
	headers := []tar.Header{
		{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "x"}},
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "./d/", Mode: 0o1777},
		{Typeflag: tar.TypeReg, Name: "/d/f", Linkname: "x", Mode: 0o100644, Uid: 7, Gid: 8},
		{Typeflag: tar.TypeDir, Name: "e", Mode: 0o755},
		{Typeflag: tar.TypeLink, Name: "e/g", Linkname: "./d/f"},
		{Typeflag: tar.TypeLink, Name: "e/g", Linkname: "e/g"},
		{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "../x", Mode: 0o777},
		{Typeflag: tar.TypeLink, Name: "m", Linkname: "l"},
		{Typeflag: tar.TypeChar, Name: "c", Devmajor: 5, Devminor: 1, Mode: 0o600},
		{Typeflag: tar.TypeBlock, Name: "b", Devmajor: 8, Mode: 0o600},
		{Typeflag: tar.TypeFifo, Name: "p", Mode: 0o600},
		{Typeflag: tar.TypeReg, Name: strings.Repeat("n", 200), Linkname: "long", Format: tar.FormatGNU},
		{Typeflag: tar.TypeReg, Name: "twice", Linkname: "old"},
		{Typeflag: tar.TypeReg, Name: "twice", Linkname: "new", Mode: 0o600},
		{Typeflag: tar.TypeDir, Name: "d", Mode: 0o700},
	}
	want := []string{
		"dir /. 0755 0 0", "dir /d 0700 0 0", "dir /e 0755 0 0", "file /d/f =x 0644 7 8 /e/g",
		"slink /l ../x 0777 0 0", "slink /m ../x 0777 0 0", "nod /c 0600 0 0 c 5 1", "nod /b 0600 0 0 b 8 0", "pipe /p 0600 0 0",
		"file /" + strings.Repeat("n", 200) + " =long 0000 0 0", "file /twice =new 0600 0 0",
	}
	archive := tarball(t, headers...)
	inputs := map[string]string{"none": archive, "padded": archive + strings.Repeat("\x00", 9000)}
	for _, codecName := range codec.Names() {
		inputs[codecName] = packed(t, codecName, archive)
	}
	// As the programs write it: of several members, with checks that no kernel knows.
	half := len(archive) / 2
	inputs["two gzip"] = packed(t, "gzip", archive[:half]) + packed(t, "gzip", archive[half:])
	inputs["two lzma"] = packed(t, "lzma", archive[:half]) + packed(t, "lzma", archive[half:])
	inputs["zstd, skippable frame"] = packed(t, "zstd", archive) + "\x50\x2a\x4d\x18\x02\x00\x00\x00ab"
	for _, program := range []string{"xz", "lz4", "bzip2", "zstd"} {
		cmd := exec.Command(program, "-c")
		cmd.Stdin = strings.NewReader(archive)
		if out, err := cmd.Output(); err == nil {
			inputs["the program "+program] = string(out)
			inputs["the program "+program+" twice"] = twice(t, program, archive)
		}
	}
	for name, in := range inputs {
		t.Run(name, func(t *testing.T) {
			got, err := read(t, in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

// Directories that names only imply take memory that has a bound.
func TestReadTarPaths(t *testing.T) {
	var headers []tar.Header
	for i := range 100 {
		headers = append(headers, tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprint(i) + strings.Repeat("/d", 2000)})
	}
	if _, err := read(t, tarball(t, headers...)); !errors.Is(err, kernel.ErrText) {
		t.Errorf("%v, want %v", err, kernel.ErrText)
	}
}

// twice returns what a program makes of both halves, one after the other.
func twice(t *testing.T, program, content string) string {
	t.Helper()
	var all strings.Builder
	for _, part := range []string{content[:len(content)/2], content[len(content)/2:]} {
		cmd := exec.Command(program, "-c")
		cmd.Stdin = strings.NewReader(part)
		cmd.Stdout = &all
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

func TestReadTarErrors(t *testing.T) {
	one := func(h tar.Header) string { return tarball(t, h) }
	file := tar.Header{Typeflag: tar.TypeReg, Name: "f", Linkname: strings.Repeat("x", 600)}
	whole := one(file)
	records := func(key string) string {
		return one(tar.Header{Typeflag: tar.TypeReg, Name: "f", PAXRecords: map[string]string{key: "x"}, Format: tar.FormatPAX})
	}
	texts := map[string]string{}
	tests := []struct {
		name, in, want string
	}{
		{"..", one(tar.Header{Typeflag: tar.TypeReg, Name: "a/../../etc"}), "/etc"},
		{"link to ..", one(tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "../b"}), "/a"},
		{"link to nothing", one(tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "b"}), "/a"},
		{"link to a directory", tarball(t, tar.Header{Typeflag: tar.TypeDir, Name: "b"}, tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "b"}),
			"/a"},
		{"root", one(tar.Header{Typeflag: tar.TypeReg, Name: "."}), "/"},
		{"not empty", tarball(t, tar.Header{Typeflag: tar.TypeDir, Name: "d"}, tar.Header{Typeflag: tar.TypeReg, Name: "d/f"}, tar.Header{Typeflag: tar.TypeReg, Name: "d"}),
			"/d"},
		{"below a file", tarball(t, tar.Header{Typeflag: tar.TypeReg, Name: "f"}, tar.Header{Typeflag: tar.TypeReg, Name: "f/x"}), "/f/x"},
		{"xattr", records("SCHILY.xattr.user.x"), "/f"},
		{"bsdtar xattr", records("LIBARCHIVE.xattr.security.capability"), "/f"},
		{"acl", records("SCHILY.acl.access"), "/f"},
		{"fflags", records("SCHILY.fflags"), "/f"},
		{"global", one(tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"uid": "7"}}),
			"/GlobalHead.0.0"},
		{"owner", one(tar.Header{Typeflag: tar.TypeReg, Name: "f", Uid: 1 << 32}), "/f"},
		{"device", one(tar.Header{Typeflag: tar.TypeChar, Name: "c", Devmajor: 5, Devminor: 1 << 20}), "/c"},
		{"name", one(tar.Header{Typeflag: tar.TypeReg, Name: "TRAILER!!!"}), "/TRAILER!!!"},
		{"long target", one(tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: strings.Repeat("x", 4096)}), "/l"},
		{"incremental", one(tar.Header{Typeflag: 'D', Name: "d"}), "/d"},
		{"unknown", one(tar.Header{Typeflag: 'Z', Name: "d"}), "/d"},
		{"junk", whole + "junk", ""},
		{"another after it", whole + whole, ""},
		{"no end", whole[:512+1024], ""},
		{"content cut", whole[:1000], ""},
		{"damaged", whole[:512+1024] + strings.Repeat("x", 1024), ""},
		{"gzip cut", packed(t, "gzip", whole)[:60], ""},
		{"gzip garbage", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + strings.Repeat("\xff", 100), ""},
		{"xz of a large dictionary", "\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46" + "\x02\x00\x21\x01\x28\x00\x00\x00\x00\x00\x00\x00", ""},
		{"lz4 image", "\x04\x22\x4d\x18", ""},
		{"gzip and zeros and junk", packed(t, "gzip", whole) + strings.Repeat("\x00", 512) + "junk", ""},
		{"zip in gzip", packed(t, "gzip", "PK\x03\x04"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := read(t, test.in)
			if diff := cmp.Diff([]string{test.want}, pathsOf(err)); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			texts[test.name] = fmt.Sprint(err)
		})
	}
	golden.Messages(t, "TestReadTarErrors.txt", texts)
}

// Zeros may follow a compressed tar archive, as after one on a tape.
func TestReadTarPadded(t *testing.T) {
	packtest.InTree(t, nil)
	whole := packed(t, "gzip", tarball(t, tar.Header{Typeflag: tar.TypeReg, Name: "f", Linkname: "hello"}))
	if _, err := read(t, whole+strings.Repeat("\x00", 512)); err != nil {
		t.Error(err)
	}
}

// A file that is neither an archive nor a list is named for what it is, and is one error.
func TestOpenForeign(t *testing.T) {
	texts := map[string]string{}
	for name, in := range map[string]string{
		"deb":    "!<arch>\ndebian-binary   1342943816  0     0     100644  4         `\n2.0\n",
		"uImage": "\x27\x05\x19\x56" + strings.Repeat("\x00\n", 100),
		"zip":    "PK\x03\x04",
		"random": "\x91\x00\n\x00\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, in)
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one", err)
			}
			texts[name] = fmt.Sprint(err)
		})
	}
	golden.Messages(t, "TestOpenForeign.txt", texts)
}

// Cut off anywhere, an archive is an error, compressed or not.
func TestReadArchiveCut(t *testing.T) {
	cpioArchive := cpioArchive(t, cpioRecord{name: "a", mode: 0o100644, body: "hello"}, cpioRecord{name: "b", mode: 0o100644, body: strings.Repeat("x", 600)})
	tarArchive := tarball(t, tar.Header{Typeflag: tar.TypeReg, Name: "a", Linkname: "hello"},
		tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("n", 150), Linkname: strings.Repeat("x", 600), Format: tar.FormatPAX})
	packtest.InTree(t, nil)
	for name, test := range map[string]struct {
		in string
		// enough is how much holds everything that is not zeros.
		enough int
	}{
		"cpio":      {cpioArchive, len(strings.TrimRight(cpioArchive, "\x00")) + 1},
		"tar":       {tarArchive, len(tarArchive) - 512},
		"cpio.zst":  {packed(t, "zstd", cpioArchive), 1 << 30},
		"tar.gz":    {packed(t, "gzip", tarArchive), 1 << 30},
		"tar.bzip2": {packed(t, "bzip2", tarArchive), 1 << 30},
	} {
		step := 1 + len(test.in)/300
		for n := 10; n < min(len(test.in), test.enough); n += step {
			if err := os.WriteFile("in", []byte(test.in[:n]), 0o666); err != nil {
				t.Fatal(err)
			}
			sources, err := source.Open(context.Background(), []string{"in"}, source.Options{})
			if err == nil {
				t.Errorf("%s: %d of %d bytes are not an error: %v", name, n, len(test.in), shown(t, sources.Entries))
				sources.Close()
			}
		}
	}
}

// Nobody sees what is kept of a compressed archive.
func TestReadSourcesLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if _, err := read(t, packed(t, "gzip", cpioArchive(t, cpioRecord{name: "a", mode: 0o100644, body: "x"}))); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(files) > 0 {
		t.Errorf("left: %v, %v", files, err)
	}
}

func TestReadSourcesInterrupted(t *testing.T) {
	packtest.InTree(t, map[string]string{"in": packed(t, "gzip", cpioArchive(t, cpioRecord{name: "a", mode: 0o100644, body: "x"}))})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := source.Open(ctx, []string{"in"}, source.Options{}); err == nil {
		t.Error("read to its end")
	}
}

func FuzzReadArchive(f *testing.F) {
	image := cpioArchive(f, cpioRecord{name: "a", mode: 0o100644, ino: 1, nlink: 2}, cpioRecord{name: "d", mode: 0o40755},
		cpioRecord{name: "d/b", mode: 0o100644, ino: 1, nlink: 2, body: "x"}, cpioRecord{name: "a", mode: 0o120777, body: "t"})
	archive := tarball(f, tar.Header{Typeflag: tar.TypeDir, Name: "d"}, tar.Header{Typeflag: tar.TypeReg, Name: "d/f", Linkname: "x"},
		tar.Header{Typeflag: tar.TypeLink, Name: "g", Linkname: "d/f"}, tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("n", 150), Format: tar.FormatPAX})
	for _, seed := range []string{image, archive, packed(f, "gzip", image), packed(f, "zstd", archive), image + packed(f, "xz", image), "dir /a 0755 0 0\n"} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, in []byte) {
		name := dir + "/in"
		if err := os.WriteFile(name, in, 0o666); err != nil {
			t.Fatal(err)
		}
		sources, err := source.Open(context.Background(), []string{name}, source.Options{})
		if err != nil {
			return
		}
		defer sources.Close()
		seen := map[string]bool{}
		for _, e := range sources.Entries {
			if e.Pos.Line > 0 {
				return // a list, whose checks are elsewhere
			}
			if err := e.CheckNames(); err != nil {
				t.Error(err)
			}
			for _, name := range e.Names() {
				if seen[name] || name != "." && list.CleanPath(name) != "/"+name || strings.Contains("/"+name+"/", "/../") {
					t.Errorf("the name %q", name)
				}
				seen[name] = true
			}
			if (e.Kind == list.File) != (e.Content != nil) {
				t.Errorf("%s of content %v", e, e.Content)
			} else if e.Content != nil && e.Content.Size() > 1<<20 {
				return // holes: more than is to be held in memory here
			}
		}
		// What is read can be packed, and is read again as it is.
		want := shown(t, sources.Entries)
		var again bytes.Buffer
		if err := write.Archive(&again, sources.Entries, write.ArchiveOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name+".again", again.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		second, err := source.Open(context.Background(), []string{name + ".again"}, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		if diff := cmp.Diff(want, shown(t, second.Entries)); diff != "" {
			t.Errorf("packed and read (-want +got):\n%s", diff)
		}
	})
}
