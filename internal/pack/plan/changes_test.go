package plan

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// read reads all.list of these files and applies its directives.
func read(t *testing.T, files map[string]string) ([]*list.Entry, error) {
	t.Helper()
	packtest.InTree(t, files)
	sources, err := source.Open(context.Background(), []string{"all.list"}, source.Options{Directives: true})
	if err != nil {
		return nil, err
	}
	defer sources.Close()
	return Apply(sources.Entries, sources.Changes, sources.Libraries, false)
}

func TestApply(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{
			"before any origin", map[string]string{"all.list": "dir /a 0755 0 0\n"},
			[]string{"all.list:1: dir /a 0755 0 0"},
		},
		{
			"origin",
			map[string]string{"all.list": "#: origin //a:a\ndir /a 0755 0 0\ndir /a/b 0755 0 0\n#: origin @@x//b:b\ndir /c 0755 0 0\n"},
			[]string{"//a:a: dir /a 0755 0 0", "//a:a: dir /a/b 0755 0 0", "@@x//b:b: dir /c 0755 0 0"},
		},
		{
			"lists of a target, in their place",
			map[string]string{
				"all.list": "#: origin //a:a\n#: location motd out/motd.txt\n#: location a\\040b out/a\\040b\n" +
					"dir /etc 0755 0 0\n#: list a/a.list\ndir /last 0755 0 0\n#: list a/b.list\n",
				"a/a.list": "\nfile /etc/motd motd 0644 0 0\n",
				"a/b.list": "file /x a\\040b 0644 0 0 /y\n#: metadata /x mode=0\nfile /z motd 0600 0 0\n",
			},
			[]string{
				"//a:a: dir /etc 0755 0 0",
				"//a:a (a/a.list:2): file /etc/motd out/motd.txt 0644 0 0",
				"//a:a: dir /last 0755 0 0",
				`//a:a (a/b.list:1): file /x out/a\040b 0644 0 0 /y`,
				"//a:a (a/b.list:3): file /z out/motd.txt 0600 0 0",
			},
		},
		{
			"locations of the generated list are files as they are",
			map[string]string{"all.list": "#: origin //a:a\nfile /a out/a 0644 0 0\n"},
			[]string{"//a:a: file /a out/a 0644 0 0"},
		},
		{
			"data of one target is not data of another",
			map[string]string{
				"all.list": "#: origin //a:a\n#: location f out/a\n#: list a.list\n#: origin //b:b\n#: location f out/b\n#: list b.list\n",
				"a.list":   "file /a f 0644 0 0\n",
				"b.list":   "file /b f 0644 0 0\n",
			},
			[]string{"//a:a (a.list:1): file /a out/a 0644 0 0", "//b:b (b.list:1): file /b out/b 0644 0 0"},
		},
		{
			"metadata, before its entry or after it",
			map[string]string{
				"all.list": "#: origin //a:a\n#: metadata /a mode=1777 uid=5\n#: metadata b//c gid=-1\n" +
					"dir /a 0755 1 1\nfile /b x 0644 1 1 /b/c\ndir /d 0755 0 0\n#: metadata /d uid=1 gid=2 mode=0\n#: list l.list\n#: metadata //l mode=4755\n",
				"l.list": "pipe /l 0600 0 0\n",
			},
			[]string{
				"//a:a: dir /a 1777 5 1",
				"//a:a: file /b x 0644 1 4294967295 /b/c",
				"//a:a: dir /d 0000 1 2",
				"//a:a (l.list:1): pipe /l 4755 0 0",
			},
		},
		{
			"metadata of globs, the last one wins",
			map[string]string{
				"all.list": "#: origin //a:a\ndir /bin 0755 0 0\nfile /bin/a x 0644 0 0\nfile /x/b y 0644 0 0 /bin/b\nfile /bin/sub/c z 0644 0 0\n" +
					"#: metadata /bin/* mode=0755 uid=1\n#: metadata /bin/a uid=2\n#: metadata /**/ gid=3\n#: metadata /**/c mode=0600\n",
			},
			[]string{
				"//a:a: dir /bin 0755 0 3",
				"//a:a: file /bin/a x 0755 2 0",
				"//a:a: file /x/b y 0755 1 0 /bin/b",
				"//a:a: file /bin/sub/c z 0600 0 0",
			},
		},
		{
			"hard links, of a hard link too",
			map[string]string{
				"all.list": "#: origin //a:a\n#: hardlink /b /a\n#: hardlink c b\nfile /a x 0644 0 0\n",
			},
			[]string{"//a:a: file /a x 0644 0 0 /b /c"},
		},
		{
			"replaces, a name of several too",
			map[string]string{
				"all.list": "#: origin //a:a\nfile /a x 0644 0 0\nfile /b x 0644 0 0 /c\n#: origin //b:b\n#: replaces /a\n#: replaces /b\npipe /a 0600 0 0\nfile b y 0600 0 0\n",
			},
			[]string{"//a:a: file /c x 0644 0 0", "//b:b: pipe /a 0600 0 0", "//b:b: file /b y 0600 0 0"},
		},
		{
			"replaces what its own target gave before, and others",
			map[string]string{
				"all.list": "#: origin //a:a\npipe /a 0600 0 0\n#: origin //b:b\npipe /a 0644 0 0\nfile /a y 0600 0 0\n#: replaces /a\n#: origin //c:c\ndir /c 0755 0 0\n",
			},
			[]string{"//b:b: file /a y 0600 0 0", "//c:c: dir /c 0755 0 0"},
		},
		{
			"metadata of a path that two sources of the target give",
			map[string]string{
				"all.list": "#: origin //a:a\ndir /a 0755 0 0\n#: list a.list\n#: metadata /a mode=0711\n",
				"a.list":   "dir /a 0700 1 1\n",
			},
			[]string{"//a:a: dir /a 0711 0 0", "//a:a (a.list:1): dir /a 0711 1 1"},
		},
		{
			"locations by label, variables",
			map[string]string{
				"all.list": "#: origin //a:a\n#: var V x\n#: location k out/k //a:k :k\n#: location x/y out/l @@r//b/c:c @@r//b/c\n#: list a.list\n",
				"a.list": "file /1 $(location k) 0644 0 0\nfile /2 $(location :k) 0644 0 0\nfile /3 $(location //a:k) 0644 0 0\n" +
					"file /4 $(location @@r//b/c) 0644 0 0 /5\nfile /6 ${V}/y 0644 0 0\nfile /7 $(location x/y) 0644 0 0\n",
			},
			[]string{
				"//a:a (a.list:1): file /1 out/k 0644 0 0",
				"//a:a (a.list:2): file /2 out/k 0644 0 0",
				"//a:a (a.list:3): file /3 out/k 0644 0 0",
				"//a:a (a.list:4): file /4 out/l 0644 0 0 /5",
				"//a:a (a.list:5): file /6 out/l 0644 0 0",
				"//a:a (a.list:6): file /7 out/l 0644 0 0",
			},
		},
		{
			"metadata keeps to its target",
			map[string]string{
				"all.list": "#: origin //a:a\ndir /a 0755 0 0\n#: metadata /a mode=0700\n#: origin //b:b\ndir /b 0755 0 0\n#: metadata /b mode=0711\n",
			},
			[]string{"//a:a: dir /a 0700 0 0", "//b:b: dir /b 0711 0 0"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			all, err := read(t, test.files)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range all {
				got = append(got, fmt.Sprintf("%s: %s", e.Pos, e))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyErrors(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{
			"unknown", map[string]string{"all.list": "\n#: includes x\n"},
			[]string{"all.list:2"},
		},
		{
			"too few arguments", map[string]string{"all.list": "#: origin a b\n#: location x\n#: list\n#: metadata /a\n"},
			[]string{
				"all.list:1",
				"all.list:2",
				"all.list:3",
				"all.list:4",
			},
		},
		{
			"data before any origin", map[string]string{"all.list": "#: location a b\n"},
			[]string{"all.list:1"},
		},
		{
			"undeclared, nothing declared",
			map[string]string{"all.list": "#: origin //a:a\n#: list a.list\n", "a.list": "dir /d 0755 0 0\nfile /a x 0644 0 0\n"},
			[]string{"//a:a (a.list:2)"},
		},
		{
			"before any origin",
			map[string]string{"all.list": "dir /b 0755 0 0\n#: list a.list\n#: metadata /b mode=0700\n#: hardlink /c /b\n#: var A b\n"},
			[]string{
				"all.list:2",
				"all.list:3",
				"all.list:4",
				"all.list:5",
			},
		},
		{
			"undeclared, others declared",
			map[string]string{
				"all.list": "#: origin //a:a\n#: location z out/z\n#: location y out/y\n#: list a.list\n",
				// Not even by the path that a key means.
				"a.list": "file /z z 0644 0 0\nfile /y y 0644 0 0\nfile /a out/z 0644 0 0\n",
			},
			[]string{"//a:a (a.list:3)"},
		},
		{
			"declared by another target only",
			map[string]string{
				"all.list": "#: origin //a:a\n#: location f out/f\n#: list a.list\n#: origin //b:b\n#: list a.list\n",
				"a.list":   "file /a f 0644 0 0\n",
			},
			[]string{"//b:b (a.list:1)"},
		},
		{
			"data of no use",
			map[string]string{
				"all.list": "#: origin //a:a\n#: location f out/f\n#: location g out/g\n#: list a.list\n#: origin //b:b\n#: location h out/h\n",
				"a.list":   "file /a f 0644 0 0\n",
			},
			[]string{"//a:a", "//b:b"},
		},
		{
			"data declared twice",
			map[string]string{
				"all.list": "#: origin //a:a\n#: location f out/f\n#: location f out/g\n#: list a.list\n",
				"a.list":   "file /a f 0644 0 0\n",
			},
			[]string{"//a:a"},
		},
		{
			"errors of a target's list",
			map[string]string{"all.list": "#: origin //a:a\n#: list a.list\n#: list missing.list\n", "a.list": "#: comment\n dir\n"},
			[]string{
				"//a:a (a.list:2)",
				"",
			},
		},
		{
			"metadata that matches nothing",
			map[string]string{"all.list": "#: origin //a:a\ndir /a/b 0755 0 0\n#: metadata a mode=0700\n#: origin //b:b\n#: metadata /a/b mode=0700\n"},
			[]string{
				"//a:a",
				"//b:b",
			},
		},
		{
			"metadata of bad values",
			map[string]string{"all.list": "#: origin //a:a\ndir /a 0755 0 0\n" +
				"#: metadata /a mode=999\n#: metadata /a mode=0100755\n#: metadata /a uid=root\n#: metadata /a gid\n#: metadata /a mtime=-1\n#: metadata /a size=0\n#: metadata /[ uid=0\n"},
			[]string{
				"//a:a",
				"//a:a",
				"//a:a",
				"//a:a",
				"//a:a",
				"//a:a",
				"//a:a",
			},
		},
		{
			"hard links of no file",
			map[string]string{"all.list": "#: origin //a:a\ndir /d 0755 0 0\n#: hardlink /x /d\n#: hardlink /y /b\n#: origin //b:b\nfile /b f 0644 0 0\n"},
			[]string{
				"//a:a",
				"//a:a",
			},
		},
		{
			"replaces nothing",
			map[string]string{"all.list": "#: origin //a:a\ndir /d 0755 0 0\n#: replaces /d\n#: replaces /e\n"},
			[]string{
				"//a:a",
				"//a:a",
			},
		},
		{
			"replaces what has a similar path",
			map[string]string{"all.list": "#: origin //a:a\nfile /etc/motd x 0644 0 0\nfile /usr/mot x 0644 0 0\n#: origin //b:b\nfile /etc/mot x 0644 0 0\n#: replaces /etc/mot\n"},
			[]string{"//b:b"},
		},
		{
			"variables of another target",
			map[string]string{
				"all.list": "#: origin //a:a\n#: var A x\n#: origin //b:b\n#: location x out/x\n#: list b.list\n",
				"b.list":   "file /a ${A} 0644 0 0\n",
			},
			[]string{
				"//b:b (b.list:1)",
				"//b:b",
			},
		},
		{
			"archives where there are none",
			map[string]string{"all.list": "#: origin //a:a\n#: exclude /x\n#: exclude x\n#: archive a.cpio /\n"},
			[]string{
				"//a:a",
				"//a:a",
				"//a:a",
			},
		},
	}
	messages := map[string]string{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := read(t, test.files)
			if diff := cmp.Diff(test.want, packtest.Places(err)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			messages[test.name] = packtest.Message(err)
		})
	}
	golden.Section(t, "messages.txt", messages)
}
