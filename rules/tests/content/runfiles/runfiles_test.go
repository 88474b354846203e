// Package runfiles_test compares the runfiles of programs in images with those that Bazel
// gives the programs.
package runfiles_test

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

func open(t *testing.T, name string) *os.File {
	t.Helper()
	file, err := os.Open(rlocation(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// packed returns the entries below a directory of an image, by path.
func packed(t *testing.T, name, below string) map[string]*list.Entry {
	t.Helper()
	entries := map[string]*list.Entry{}
	for p := list.NewParser(open(t, name), list.Options{Name: name, Directives: true}); ; {
		e, _, err := p.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			continue
		}
		if path, ok := strings.CutPrefix("/"+e.Name, below+"/"); ok {
			entries[path] = e
		}
	}
}

// manifest returns what the runfiles of a program lead to, by path. With
// --legacy_external_runfiles, Bazel has other repositories at their old paths too, and no
// empty file in place of all files of the main repository.
func manifest(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := io.ReadAll(open(t, name))
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]string{}
	main, old := false, false
	for line := range strings.Lines(string(text)) {
		path, target, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if strings.HasPrefix(path, "_main/external/") {
			old = true
			continue
		}
		links[path] = target
		main = main || strings.HasPrefix(path, "_main/")
	}
	if old && !main {
		links["_main/.runfile"] = ""
	}
	return links
}

// shape reduces the entries to what a manifest has of them: a directory that is one link
// there has its content here.
func shape(entries map[string]*list.Entry, links map[string]string) []string {
	found := map[string]bool{}
	for path, e := range entries {
		place := path
		for ; place != ""; place = place[:max(0, strings.LastIndexByte(place, '/'))] {
			if _, ok := links[place]; ok {
				break
			}
		}
		if place != "" {
			found[place] = true
		} else if e.Kind != list.Dir {
			found[path] = true
		}
	}
	var all []string
	for path := range found {
		all = append(all, path)
	}
	slices.Sort(all)
	return all
}

func TestRunfiles(t *testing.T) {
	words := strings.Fields(os.Getenv("IMAGES"))
	if len(words) == 0 {
		t.Skip("needs images that Bazel builds: run it with bazel test")
	}
	for image := range slices.Chunk(words, 4) {
		t.Run(image[3], func(t *testing.T) {
			links := manifest(t, image[2])
			entries := packed(t, image[1], image[0]+".runfiles")
			var want []string
			for path := range links {
				want = append(want, path)
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, shape(entries, links)); diff != "" {
				t.Errorf("runfiles (-Bazel +image):\n%s", diff)
			}
			for path, target := range links {
				e := entries[path]
				switch {
				case e == nil:
				case target == "" && e.Location != os.DevNull:
					t.Errorf("%s: %s, want an empty file", path, e)
				case target == "/somewhere/else" && e.Target != target:
					t.Errorf("%s: %s, want a link to %s", path, e, target)
				case e.Kind == list.File && target != "" && base(e.Location) != base(target):
					t.Errorf("%s: %s, want the file %s", path, e, target)
				}
			}
		})
	}
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
