package source

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

func TestExcludes(t *testing.T) {
	const all = "dir /usr 0755 0 0\ndir /usr/doc 0755 0 0\nfile /usr/doc/a x 0644 0 0 /usr/a\nfile /usr/doc.txt x 0644 0 0\nslink /link usr 0777 0 0\n"
	tests := []struct {
		globs        []string
		kept, unused []string
	}{
		{
			nil,
			[]string{"dir /usr 0755 0 0", "dir /usr/doc 0755 0 0", "file /usr/doc/a x 0644 0 0 /usr/a", "file /usr/doc.txt x 0644 0 0", "slink /link usr 0777 0 0"},
			nil,
		},
		{ // what is below a directory goes with it; a file's other name stays
			[]string{"/usr/doc"},
			[]string{"dir /usr 0755 0 0", "file /usr/a x 0644 0 0", "file /usr/doc.txt x 0644 0 0", "slink /link usr 0777 0 0"},
			nil,
		},
		{ // everything below it, and not itself
			[]string{"/usr/doc/**"},
			[]string{"dir /usr 0755 0 0", "dir /usr/doc 0755 0 0", "file /usr/a x 0644 0 0", "file /usr/doc.txt x 0644 0 0", "slink /link usr 0777 0 0"},
			nil,
		},
		{
			[]string{"/usr/d*", "/gone", "/usr/?", "/*.txt"},
			[]string{"dir /usr 0755 0 0", "slink /link usr 0777 0 0"},
			[]string{"/gone", "/*.txt"},
		},
		{ // an include, and the directories above it
			[]string{"+/usr/doc/a"},
			[]string{"dir /usr 0755 0 0", "dir /usr/doc 0755 0 0", "file /usr/doc/a x 0644 0 0"},
			nil,
		},
		{ // all of a directory, less a part of it
			[]string{"+/usr", "/usr/doc", "+/gone"},
			[]string{"dir /usr 0755 0 0", "file /usr/a x 0644 0 0", "file /usr/doc.txt x 0644 0 0"},
			[]string{"/gone"},
		},
		{ // one of several names, or none of them
			[]string{"+/usr/doc/b*", "+/link"},
			[]string{"slink /link usr 0777 0 0"},
			[]string{"/usr/doc/b*"},
		},
		{ // two for one are both of use
			[]string{"/usr", "/usr/doc/a", "/link/usr"},
			[]string{"slink /link usr 0777 0 0"},
			[]string{"/link/usr"},
		},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.globs), func(t *testing.T) {
			var f filter
			for _, text := range test.globs {
				to := &f.excludes
				glob, include := strings.CutPrefix(text, "+")
				if include {
					to = &f.includes
				}
				if err := addPattern(to, &list.Directive{Word: "exclude", Args: []string{glob}}); err != nil {
					t.Fatal(err)
				}
			}
			kept := f.keep(packtest.Entries(t, all))
			if diff := cmp.Diff(test.kept, packtest.Lines(kept)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			var unused []string
			for _, p := range append(f.includes, f.excludes...) {
				if !p.used {
					unused = append(unused, p.glob.String())
				}
			}
			if diff := cmp.Diff(test.unused, unused); diff != "" {
				t.Errorf("unused (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExcludesErrors(t *testing.T) {
	var x []*pattern
	messages := map[string]string{}
	for _, glob := range []string{"usr", "/[", "/"} {
		err := addPattern(&x, &list.Directive{Word: "exclude", Args: []string{glob}, Attribute: "archive_excludes", Pos: list.Pos{Origin: "//a:a"}})
		if diff := cmp.Diff([]string{"//a:a"}, packtest.Places(err)); diff != "" {
			t.Errorf("%s: errors (-want +got):\n%s", glob, diff)
		}
		messages[glob] = packtest.Message(err)
	}
	golden.Messages(t, "TestExcludesErrors.txt", messages)
}

// An error that the list hands over has the place of its origin, and the attribute if there
// is one.
func TestErrorDirective(t *testing.T) {
	packtest.InTree(t, map[string]string{
		"all.list": "#: origin //a:a\n#: error no\\040files\n#: origin //b:b\n#: attribute trees\n#: error /x:\\040no\\040files\n",
	})
	_, err := Open(t.Context(), []string{"all.list"}, Options{Directives: true})
	if diff := cmp.Diff([]string{"//a:a: no files", "//b:b: trees: /x: no files"}, packtest.Messages(err)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
