package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestReadErrors(t *testing.T) {
	messages := map[string]string{}
	for _, line := range []string{
		"run/pipe pipe", "/a", "/a fifo", "/a file size:3", "/a absent mode=0", "/a run mode=0755",
		`/a file text="a"`, `/a\40b file`, "/a file mode=0755 x=1",
	} {
		_, err := read("# first\n\n" + line + "\n/b dir\n")
		if err == nil || !strings.HasPrefix(err.Error(), "line 3: ") {
			t.Errorf("%s: error %v, want one for line 3", line, err)
			continue
		}
		messages[line] = err.Error()
	}
	golden.Messages(t, "TestReadErrors.txt", messages)
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(at("a b"), []byte("text\n"), 0o600))
	must(os.Chtimes(at("a b"), time.Unix(7, 0), time.Unix(7, 0)))
	must(os.Link(at("a b"), at("link")))
	must(os.WriteFile(at("other"), []byte("text\n"), 0o600))
	must(os.Symlink("no where", at("slink")))
	must(syscall.Mkfifo(at("pipe"), 0o600))
	must(os.WriteFile(at("program"), []byte("#!/bin/sh\necho $0 runs\nexit $(($#))\n"), 0o700))
	must(os.WriteFile(at("fails"), []byte("#!/bin/sh\necho no >&2\nexit 3\n"), 0o700))

	const digest = "b9e68e1bea3e5b19ca6b2f98b73a54b73daafaa250484902e09982e07a12e733"
	for _, test := range []struct {
		line string
		want []string // the differences
	}{
		{`D/a\040b file mode=600 nlink=2 size=5 mtime=7 text=text\n same=D/link`, nil},
		{`D/a\040b file mode=0644 nlink=1 size=4 mtime=8 text=text same=D/other`, []string{
			`mode="0600"`, `nlink="2"`, `size="5"`, `mtime="7"`, `text="text\n"`, "D/other is another file",
		}},
		{fmt.Sprintf("D/other file uid=%d gid=%d", os.Getuid(), os.Getgid()), nil},
		{"D/other file uid=77777 gid=88888", []string{fmt.Sprintf(`uid="%d"`, os.Getuid()), fmt.Sprintf(`gid="%d"`, os.Getgid())}},
		{"D/other file sha256=" + digest, nil},
		{"D/other file sha256=" + digest[1:], []string{`sha256="` + digest + `"`}},
		{"D/other file same=D/gone", []string{"lstat D/gone: no such file or directory"}},
		{`D/slink slink target=no\040where`, nil},
		{"D/slink slink target=no", []string{`target="no where"`}},
		{"D/pipe pipe mode=0600", nil},
		{"D/pipe sock mode=0600", []string{"it is: pipe"}},
		{"D dir names=7", nil},
		{"D dir names=6", []string{`names="7"`}},
		{"D/gone absent", nil},
		{"D/other absent", []string{"it is: file"}},
		{"D/gone file", []string{"no such file or directory"}},
		{"/dev/null c rdev=1:3", nil},
		{"/dev/null c rdev=1:5", []string{`rdev="1:3"`}},
		{"/dev/null b", []string{"it is: c"}},
		{`D/program run text=D/program\040runs\n`, nil},
		{`D/program run text=walks`, []string{`it printed "D/program runs\n"`}},
		{"D/fails run", []string{`exit status 3: "no\n"`}},
	} {
		expected, err := read(strings.ReplaceAll(test.line, "D", dir))
		if err != nil {
			t.Fatalf("%s: %v", test.line, err)
		}
		var got []string
		for _, difference := range expected[0].compare() {
			got = append(got, strings.ReplaceAll(difference.Error(), dir, "D"))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.line, got, test.want)
		}
	}
}
