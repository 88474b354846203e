package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

func TestCompleteDuplicates(t *testing.T) {
	tests := []struct {
		name, list string
		want       []string
	}{
		{"none", "dir /a 0755 0 0\ndir /a/b 0755 0 0\nfile /b x 0644 0 0 /c\n", nil},
		{"nothing at all", "", nil},
		{"another content", "file /a complete.go 0644 0 0\nfile /a merge.go 0644 0 0\n", []string{"a.list:2"}},
		{"content that cannot be read", "file /a missing 0644 0 0\nfile /a missing 0644 0 0\n", []string{"a.list:2"}},
		{"another mode", "dir /a 0755 0 0\ndir /a 0750 0 0\n", []string{"a.list:2"}},
		{"another owner", "dir /a 0755 0 0\ndir /a 0755 0 1\n", []string{"a.list:2"}},
		{"another target", "slink /a b 0777 0 0\nslink /a c 0777 0 0\n", []string{"a.list:2"}},
		{"another device", "nod /a 0600 0 0 c 1 3\nnod /a 0600 0 0 c 1 5\n", []string{"a.list:2"}},
		{"a block device", "nod /a 0600 0 0 c 1 3\nnod /a 0600 0 0 b 1 3\n", []string{"a.list:2"}},
		{"a link after a directory", "dir /a 0755 0 0\nslink /a b 0777 0 0\n", []string{"a.list:2"}},
		{"another kind", "dir /a 0755 0 0\npipe a 0644 0 0\n", []string{"a.list:2"}},
		{"other spellings", "dir /a/b 0755 0 0\ndir //a/b 0700 0 0\ndir a//b/ 0700 0 0\ndir /a/./c/../b 0700 0 0\n", []string{
			"a.list:2",
			"a.list:3",
			"a.list:4",
		}},
		{"root", "dir / 0755 0 0\ndir /. 0700 0 0\n", []string{"a.list:2"}},
		{"past the root", "dir /a 0755 0 0\ndir /../a 0711 0 0\n", []string{"a.list:2"}},
		{"hard link and name", "dir /b 0755 0 0\nfile /a x 0644 0 0 /b\n", []string{"a.list:2"}},
		{"name and hard link", "file /a x 0644 0 0 /b\ndir /b 0755 0 0\n", []string{"a.list:2"}},
		{"hard links of two files", "file /a x 0644 0 0 /c\nfile /b x 0644 0 0 /c\n", []string{"a.list:2"}},
		{"hard link to itself", "file /a x 0644 0 0 /a\n", []string{"a.list:1"}},
		{"names that differ in case", "dir /a 0755 0 0\ndir /A 0755 0 0\n", nil},
	}
	messages := map[string]string{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, parents := range []bool{false, true} {
				_, err := Complete(packtest.Entries(t, test.list), parents, false)
				if diff := cmp.Diff(test.want, packtest.Places(err)); diff != "" {
					t.Errorf("parents %v: errors (-want +got):\n%s", parents, diff)
				}
				if err != nil {
					messages[test.name] = err.Error()
				}
			}
		})
	}
	golden.Section(t, "messages.txt", messages)
}

// Equal entries merge, the first one stays, and with parents a directory is the one that a
// link before it leads to.
func TestCompleteMerges(t *testing.T) {
	tests := []struct {
		name, list string
		want       []string
		parents    bool
	}{
		{"directories", "dir /a 0700 1 2\ndir /b 0755 0 0\ndir a/ 0700 1 2\ndir /a 0700 1 2\n", []string{"dir /a 0700 1 2", "dir /b 0755 0 0"}, false},
		{"the root", "dir / 0755 0 0\ndir /. 0755 0 0\n", []string{"dir / 0755 0 0"}, false},
		{"links, which have no mode", "slink /a b 0777 0 0\nslink /a b 0755 0 0\n", []string{"slink /a b 0777 0 0"}, false},
		{"devices", "nod /a 0600 0 0 c 1 3\nnod /a 0600 0 0 c 1 3\n", []string{"nod /a 0600 0 0 c 1 3"}, false},
		{"pipes and sockets", "pipe /a 0600 0 0\nsock /b 0600 0 0\nsock /b 0600 0 0\npipe /a 0600 0 0\n", []string{"pipe /a 0600 0 0", "sock /b 0600 0 0"}, false},
		{"files with the same content", "file /a x 0644 0 0\nfile /b z 0644 0 0\nfile /a y 0644 0 0\n", []string{"file /a x 0644 0 0", "file /b z 0644 0 0"}, false},
		{"files with the same names", "file /a x 0644 0 0 /b\nfile b y 0644 0 0 a\n", []string{"file /a x 0644 0 0 /b"}, false},
		{"by way of a link", "slink /lib usr/lib 0777 0 0\npipe /lib/x 0600 0 0\npipe /usr/lib/x 0600 0 0\n",
			[]string{"slink /lib usr/lib 0777 0 0", "dir /usr 0755 0 0", "dir /usr/lib 0755 0 0", "pipe /lib/x 0600 0 0"}, true},
		{"a directory and a link before it", "slink /lib usr/lib 0777 0 0\ndir /lib 0700 1 2\npipe /lib/x 0600 0 0\n",
			[]string{"slink /lib usr/lib 0777 0 0", "dir /usr 0755 0 0", "dir /usr/lib 0700 1 2", "pipe /lib/x 0600 0 0"}, true},
		{"a directory, a link before it and where that leads", "dir /usr/lib 0755 0 0\nslink /lib usr/lib 0777 0 0\ndir /lib/ 0755 0 0\ndir /lib 0755 0 0\n",
			[]string{"dir /usr 0755 0 0", "dir /usr/lib 0755 0 0", "slink /lib usr/lib 0777 0 0"}, true},
		{"a directory and a link to the root", "slink /d . 0777 0 0\ndir /d 0755 0 0\n", []string{"slink /d . 0777 0 0", "dir /. 0755 0 0"}, true},
	}
	packtest.InTree(t, map[string]string{"x": "content", "y": "content", "z": "CONTENT"})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, parents := range []bool{false, true} {
				if test.parents && !parents {
					continue
				}
				got, err := Complete(packtest.Entries(t, test.list), parents, false)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, packtest.Lines(got)); diff != "" {
					t.Errorf("parents %v: entries (-want +got):\n%s", parents, diff)
				}
			}
		})
	}
}

func TestCompleteManyDuplicates(t *testing.T) {
	_, err := Complete(packtest.Entries(t, strings.Repeat("dir /a 0755 0 0\npipe /a 0600 0 0\n", 1000)), false, false)
	if got := len(packtest.Messages(err)); got != list.MaxErrors+1 {
		t.Errorf("%d errors are reported, want %d", got, list.MaxErrors+1)
	}
}

// Without parents, nothing is added and nothing moves.
func TestCompleteWithoutParents(t *testing.T) {
	all := packtest.Entries(t, "file /a/b/c x 0644 0 0\nslink /l /l 0777 0 0\nfile /l/x x 0644 0 0\ndir /a 0700 1 1\n")
	got, err := Complete(all, false, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(packtest.Lines(all), packtest.Lines(got)); diff != "" {
		t.Errorf("(-given +completed):\n%s", diff)
	}
}

func TestCompleteParents(t *testing.T) {
	tests := []struct {
		name, list string
		want       []string
	}{
		{"all there", "dir /a 0700 1 2\ndir /a/b 0711 0 0\npipe /a/b/c 0600 0 0\n",
			[]string{"dir /a 0700 1 2", "dir /a/b 0711 0 0", "pipe /a/b/c 0600 0 0"}},
		{"missing", "pipe /a/b/c 0600 5 6\npipe /a/b/d 0600 5 6\npipe /e 0600 0 0\n",
			[]string{"dir /a 0755 0 0", "dir /a/b 0755 0 0", "pipe /a/b/c 0600 5 6", "pipe /a/b/d 0600 5 6", "pipe /e 0600 0 0"}},
		{"in the middle", "dir /a 0700 0 0\ndir /a/b/c 0700 0 0\n",
			[]string{"dir /a 0700 0 0", "dir /a/b 0755 0 0", "dir /a/b/c 0700 0 0"}},
		{"of the root", "dir / 0700 0 0\ndir /a 0700 0 0\n",
			[]string{"dir / 0700 0 0", "dir /a 0700 0 0"}},
		{"the root is not added", "dir /a 0700 0 0\n", []string{"dir /a 0700 0 0"}},
		{"a later dir comes first", "pipe /a/b/c 0600 0 0\npipe /d 0600 0 0\ndir /a/b 0711 3 4\ndir /a 0700 1 2\n",
			[]string{"dir /a 0700 1 2", "dir /a/b 0711 3 4", "pipe /a/b/c 0600 0 0", "pipe /d 0600 0 0"}},
		{"of a hard link", "file /a x 0644 0 0 /b/c /d/e\ndir /d 0700 0 0\n",
			[]string{"dir /b 0755 0 0", "dir /d 0700 0 0", "file /a x 0644 0 0 /b/c /d/e"}},
		{"odd spellings keep theirs", "pipe //a/./b//c 0600 0 0\n",
			[]string{"dir /a 0755 0 0", "dir /a/b 0755 0 0", "pipe //a/./b//c 0600 0 0"}},

		// Symbolic links.
		{"relative link", "slink /lib usr/lib 0777 0 0\npipe /lib/x 0600 0 0\n",
			[]string{"slink /lib usr/lib 0777 0 0", "dir /usr 0755 0 0", "dir /usr/lib 0755 0 0", "pipe /lib/x 0600 0 0"}},
		{"absolute link", "slink /lib /usr/lib 0777 0 0\npipe /lib/x 0600 0 0\n",
			[]string{"slink /lib /usr/lib 0777 0 0", "dir /usr 0755 0 0", "dir /usr/lib 0755 0 0", "pipe /lib/x 0600 0 0"}},
		{"absolute link in a directory", "slink /a/lib /usr 0777 0 0\npipe /a/lib/x 0600 0 0\n",
			[]string{"dir /a 0755 0 0", "slink /a/lib /usr 0777 0 0", "dir /usr 0755 0 0", "pipe /a/lib/x 0600 0 0"}},
		{"link up", "slink /a/b/lib ../lib 0777 0 0\npipe /a/b/lib/x 0600 0 0\n",
			[]string{"dir /a 0755 0 0", "dir /a/b 0755 0 0", "slink /a/b/lib ../lib 0777 0 0", "dir /a/lib 0755 0 0", "pipe /a/b/lib/x 0600 0 0"}},
		{"link past the root", "slink /lib ../../usr 0777 0 0\npipe /lib/x 0600 0 0\n",
			[]string{"slink /lib ../../usr 0777 0 0", "dir /usr 0755 0 0", "pipe /lib/x 0600 0 0"}},
		{"link to the root", "slink /lib / 0777 0 0\npipe /lib/x/y 0600 0 0\n",
			[]string{"slink /lib / 0777 0 0", "dir /x 0755 0 0", "pipe /lib/x/y 0600 0 0"}},
		{"link and dir both later", "pipe /lib/x 0600 0 0\ndir /usr/lib 0700 0 0\nslink /lib usr/lib 0777 0 0\n",
			[]string{"slink /lib usr/lib 0777 0 0", "dir /usr 0755 0 0", "dir /usr/lib 0700 0 0", "pipe /lib/x 0600 0 0"}},
		{"link to a link", "pipe /a/x 0600 0 0\nslink /a b 0777 0 0\nslink /b c 0777 0 0\n",
			[]string{"slink /a b 0777 0 0", "slink /b c 0777 0 0", "dir /c 0755 0 0", "pipe /a/x 0600 0 0"}},
		{"a directory below a link is there once", "slink /lib usr/lib 0777 0 0\npipe /lib/m/x 0600 0 0\npipe /usr/lib/m/y 0600 0 0\n",
			[]string{"slink /lib usr/lib 0777 0 0", "dir /usr 0755 0 0", "dir /usr/lib 0755 0 0", "dir /usr/lib/m 0755 0 0",
				"pipe /lib/m/x 0600 0 0", "pipe /usr/lib/m/y 0600 0 0"}},
		{"a directory that was added, named by way of a link", "slink /lib usr/lib 0777 0 0\npipe /usr/lib/m/x 0600 0 0\ndir /lib/m 0700 1 2\n",
			[]string{"slink /lib usr/lib 0777 0 0", "dir /usr 0755 0 0", "dir /usr/lib 0755 0 0", "dir /usr/lib/m 0700 1 2",
				"pipe /usr/lib/m/x 0600 0 0"}},
		{"a link that nothing is below", "slink /loop loop 0777 0 0\nslink /gone /nowhere/at/all 0777 0 0\n",
			[]string{"slink /loop loop 0777 0 0", "slink /gone /nowhere/at/all 0777 0 0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Complete(packtest.Entries(t, test.list), true, false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, packtest.Lines(got)); diff != "" {
				t.Errorf("completed (-want +got):\n%s", diff)
			}

			// What is complete stays as it is.
			again, err := Complete(got, true, false)
			if err != nil {
				t.Fatalf("once more: %v", err)
			}
			if diff := cmp.Diff(packtest.Lines(got), packtest.Lines(again)); diff != "" {
				t.Errorf("completed twice (-once +twice):\n%s", diff)
			}
		})
	}
}

// An implied directory comes from the entry that needs it.
func TestCompleteImpliedPos(t *testing.T) {
	all := packtest.Entries(t, "dir /z 0755 0 0\npipe /a/b 0600 0 0\n")
	all[1].Pos = list.Pos{Origin: "//pkg:b"}
	got, err := Complete(all, true, false)
	if err != nil {
		t.Fatal(err)
	}
	if got[1].Name != "a" || got[1].Pos != all[1].Pos {
		t.Errorf("entry %q comes from %v, want a, %v", got[1].Name, got[1].Pos, all[1].Pos)
	}
}

func TestCompleteParentErrors(t *testing.T) {
	tests := []struct {
		name, list string
		want       []string
	}{
		{"file as parent", "file /a x 0644 0 0\npipe /a/b 0600 0 0\n",
			[]string{"a.list:2"}},
		{"hard link as parent", "file /a x 0644 0 0 /b\npipe /b/c/d 0600 0 0\n",
			[]string{"a.list:2"}},
		{"node as parent, later", "pipe /a/b 0600 0 0\nnod /a 0600 0 0 c 1 3\n",
			[]string{"a.list:1"}},
		{"file that a link leads to as parent", "file /a x 0644 0 0\nslink /b a 0777 0 0\npipe /b/c 0600 0 0\n",
			[]string{"a.list:3"}},
		{"each that suffers", "sock /a 0644 0 0\npipe /a/b 0600 0 0\npipe /a/c 0600 0 0\n", []string{
			"a.list:2",
			"a.list:3",
		}},
		{"below itself", "file /a x 0644 0 0 /a/b\n",
			[]string{"a.list:1"}},
		{"loop of one", "slink /a a 0777 0 0\npipe /a/x 0600 0 0\n",
			[]string{"a.list:2"}},
		{"loop of two", "slink /a b 0777 0 0\nslink /b /a 0777 0 0\npipe /a/x 0600 0 0\n",
			[]string{"a.list:3"}},
		{"link into itself", "slink /a a/b/c 0777 0 0\npipe /a/x 0600 0 0\n",
			[]string{"a.list:2"}},
		{"the same place through a link", "slink /lib usr/lib 0777 0 0\npipe /lib/x 0600 0 0\npipe /usr/lib/x 0644 0 0\n",
			[]string{"a.list:3"}},
		{"a directory over a link to a file", "file /f x 0644 0 0\nslink /d f 0777 0 0\ndir /d 0755 0 0\n",
			[]string{"a.list:3"}},
		{"a directory over a link to another directory", "dir /usr 0700 0 0\nslink /d usr 0777 0 0\ndir /d 0755 0 0\n",
			[]string{"a.list:3"}},
		{"a directory over a link to itself", "slink /d d 0777 0 0\ndir /d 0755 0 0\n",
			[]string{"a.list:2"}},
		{"the same place through a link, the other way", "pipe /usr/lib/x 0600 0 0\nfile /lib/x y 0600 0 0\nslink /lib usr/lib 0777 0 0\n",
			[]string{"a.list:2"}},
		{"a hard link through a link to its own name", "slink /lib usr/lib 0777 0 0\nfile /lib/x y 0600 0 0 /usr/lib/x\n",
			[]string{"a.list:2"}},
	}
	messages := map[string]string{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Complete(packtest.Entries(t, test.list), true, false)
			if diff := cmp.Diff(test.want, packtest.Places(err)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			messages[test.name] = packtest.Message(err)
		})
	}
	golden.Section(t, "messages.txt", messages)
}

// The kernel follows 40 symbolic links in a path.
func TestCompleteLinkLimit(t *testing.T) {
	chain := func(length int) string {
		var b strings.Builder
		for i := range length {
			fmt.Fprintf(&b, "slink /l%d l%d 0777 0 0\n", i, i+1)
		}
		return b.String() + "pipe /l0/x 0600 0 0\n"
	}
	if _, err := Complete(packtest.Entries(t, chain(40)), true, false); err != nil {
		t.Errorf("40 links: %v", err)
	}
	if _, err := Complete(packtest.Entries(t, chain(41)), true, false); err == nil {
		t.Error("41 links: no error")
	}

	// Links that double with each step: 40 is the limit of the whole path.
	var b strings.Builder
	b.WriteString("dir /d 0755 0 0\nslink /l0 d 0777 0 0\n")
	for i := range 40 {
		fmt.Fprintf(&b, "slink /d/x%d /l%d 0777 0 0\nslink /l%d l%d/x%d 0777 0 0\n", i, i, i+1, i, i)
	}
	b.WriteString("pipe /l40/x 0600 0 0\n")
	err := packtest.Soon(func() error {
		_, err := Complete(packtest.Entries(t, b.String()), true, false)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "/l40/x is below a loop of symbolic links") {
		t.Errorf("links that double: %v", err)
	}
}
