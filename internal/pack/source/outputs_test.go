package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

// buildTree makes a build's real working directory in root, its sources in src, and a file
// that is neither, all below the working directory.
func buildTree(t *testing.T) (root, outside string) {
	t.Helper()
	packtest.InTree(t, map[string]string{
		"ws/src/pkg/source":      "source",
		"ws/top":                 "a file at the top",
		"external/repo/file":     "repository",
		"outside/secret":         "secret",
		"outside/dir/secret":     "secret",
		"root/out/k8/bin/file":   "file",
		"root/out/k8/bin/tree/f": "f",
		"root/external/.keep":    "",
		"root/out/k8/bin/other":  "other",
	})
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	outside = filepath.Join(work, "outside")
	for name, target := range map[string]string{
		"external/repo/out":          outside + "/secret",
		"root/external/repo":         work + "/external/repo",
		"root/out/k8/bin/absolute":   outside + "/secret",
		"root/out/k8/bin/chain":      "absolute",
		"root/out/k8/bin/dangling":   "../lib/later",
		"root/out/k8/bin/from_file":  work + "/root/out/k8/bin/file",
		"root/out/k8/bin/from_repo":  work + "/external/repo/file",
		"root/out/k8/bin/from_src":   work + "/ws/src/pkg/source",
		"root/out/k8/bin/local_repo": work + "/external/repo/out",
		"root/out/k8/bin/near":       "file",
		"root/out/k8/bin/tree/abs":   outside + "/secret",
		"root/out/k8/bin/tree/d":     outside + "/dir",
		"root/out/k8/bin/tree/g":     "f",
		"root/out/k8/bin/tree/up":    "../../../../../outside/secret",
		"ws/src/pkg/leaving":         outside + "/secret",
		"ws/src/pkg/relative":        "../../../outside/secret",
		"ws/src/pkg/inside":          "source",
		"ws/src/pkg/directory":       outside + "/dir",
		"root/src":                   work + "/ws/src",
		"root/top":                   work + "/ws/top",
	} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(work, "root"), outside
}

// resolve returns the entry of the file at a location, beside another file.
func resolve(t *testing.T, location, other string) (line string, err error) {
	t.Helper()
	list := "#: origin //a:a\n#: attribute files\nfile /x " + location + " 0644 1 2\nfile /y " + other + " 0644 0 0\n"
	if err := os.WriteFile("all.list", []byte(list), 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), []string{"all.list"}, Options{Directives: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.ResolveOutputs("out")
	return s.Entries[0].String(), err
}

// stage makes a link to target at out/cfg/bin/name.
func stage(t *testing.T, name, target string) {
	t.Helper()
	at := filepath.Join("out/cfg/bin", name)
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
}

// An action that runs apart has links to the files below the real directory, where the
// configuration may have another name.
func TestResolveOutputsFiles(t *testing.T) {
	tests := []struct {
		location string
		refused  bool
	}{
		{"file", false},
		{"from_file", false},
		{"from_src", false},
		{"from_repo", false},
		{"local_repo", false},
		{"near", false},
		{"tree/f", false},
		{"tree/g", false},
		{"absolute", true},
		{"chain", true},
		{"tree/abs", true},
		{"tree/d/secret", true},
		{"tree/up", true},
	}
	messages := map[string]string{}
	for _, test := range tests {
		t.Run(test.location, func(t *testing.T) {
			root, outside := buildTree(t)
			t.Chdir(t.TempDir())
			stage(t, test.location, filepath.Join(root, "out/k8/bin", test.location))
			stage(t, "other", filepath.Join(root, "out/k8/bin/other"))
			got, err := resolve(t, "out/cfg/bin/"+test.location, "out/cfg/bin/other")
			if test.refused {
				if diff := cmp.Diff([]string{"//a:a"}, packtest.Places(err)); diff != "" {
					t.Errorf("errors (-want +got):\n%s", diff)
				}
				messages[test.location] = strings.ReplaceAll(packtest.Message(err), outside, "OUTSIDE")
				return
			}
			if want := "file /x out/cfg/bin/" + test.location + " 0644 1 2"; err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	golden.Messages(t, "TestResolveOutputsFiles.txt", messages)
}

// Of sources, those of the workspace may not be links to files of the machine.
func TestResolveOutputsSources(t *testing.T) {
	for _, test := range []struct {
		location string
		refused  bool
	}{
		{"src/pkg/source", false},
		{"src/pkg/inside", false},
		{"src/pkg/directory/secret", false}, // the file is not a link
		{"src/pkg/leaving", true},
		{"src/pkg/relative", true},
		{"external/repo/file", false},
		{"external/repo/out", false},
	} {
		check := func(t *testing.T, other string) {
			t.Helper()
			line, err := resolve(t, test.location, other)
			if (err != nil) != test.refused {
				t.Errorf("%v, want an error: %v", err, test.refused)
			}
			if want := "file /x " + test.location + " 0644 1 2"; line != want {
				t.Errorf("got %q, want %q", line, want)
			}
		}
		// Staged as a link to the real directory of actions, or to the workspace, which has
		// only its own files.
		for from, below := range map[string]string{"root": "", "ws": "src/"} {
			if !strings.HasPrefix(test.location, below) {
				continue
			}
			t.Run(from+" "+test.location, func(t *testing.T) {
				root, _ := buildTree(t)
				t.Chdir(t.TempDir())
				if err := os.MkdirAll(filepath.Dir(test.location), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(filepath.Join(filepath.Dir(root), from, test.location), test.location); err != nil {
					t.Fatal(err)
				}
				stage(t, "other", filepath.Join(root, "out/k8/bin/other"))
				check(t, "out/cfg/bin/other")
			})
		}
		t.Run("in place "+test.location, func(t *testing.T) {
			root, _ := buildTree(t)
			t.Chdir(root)
			check(t, "out/k8/bin/other")
		})
	}
}

// A link that is declared as one is in the directory of the action as it is.
func TestResolveOutputsLinks(t *testing.T) {
	for _, target := range []string{"/etc/passwd", "../lib/later", "other", "/gone", "."} {
		t.Run(target, func(t *testing.T) {
			root, _ := buildTree(t)
			t.Chdir(t.TempDir())
			stage(t, "link", target)
			stage(t, "other", filepath.Join(root, "out/k8/bin/other"))
			got, err := resolve(t, "out/cfg/bin/link", "out/cfg/bin/other")
			if want := "slink /x " + target + " 0777 1 2"; err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

// On another machine, files are files, and only declared links are links.
func TestResolveOutputsElsewhere(t *testing.T) {
	packtest.InTree(t, map[string]string{"out/k8/bin/file": "file", "src/source": "source"})
	if err := os.Symlink("file", "out/k8/bin/link"); err != nil {
		t.Fatal(err)
	}
	got, err := resolve(t, "out/k8/bin/link", "src/source")
	if want := "slink /x file 0777 1 2"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// An action that runs in the real directory cannot tell a file that is a link from a link
// that is declared, as long as it leads to what the build declares.
func TestResolveOutputsInPlace(t *testing.T) {
	root, outside := buildTree(t)
	t.Chdir(root)
	for name, link := range map[string]string{
		"file":       "",
		"from_file":  "",
		"from_src":   "",
		"local_repo": "",
		"near":       "",
		"tree/g":     "",
		"absolute":   outside + "/secret",
		"dangling":   "../lib/later",
	} {
		location := "out/k8/bin/" + name
		want := "file /x " + location + " 0644 1 2"
		if link != "" {
			want = "slink /x " + link + " 0777 1 2"
		}
		for _, other := range []string{"out/k8/bin/other", "src/pkg/source", "top"} {
			if got, err := resolve(t, location, other); err != nil || got != want {
				t.Errorf("%s beside %s: got %q, %v, want %q", name, other, got, err, want)
			}
		}
	}
}

// A file at the top of the workspace is a link in the directory of an action too.
func TestResolveOutputsTop(t *testing.T) {
	root, _ := buildTree(t)
	work := filepath.Join(t.TempDir(), filepath.Base(filepath.Dir(root)), "root")
	if err := os.MkdirAll(work, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(work)
	if err := os.Symlink(filepath.Join(root, "top"), "top"); err != nil {
		t.Fatal(err)
	}
	stage(t, "link", "../lib")
	if got, err := resolve(t, "out/cfg/bin/link", "top"); err != nil || got != "slink /x ../lib 0777 1 2" {
		t.Errorf("got %q, %v", got, err)
	}
}

// An archive or a list that is a file of the machine is an error too.
func TestResolveOutputsInputs(t *testing.T) {
	root, outside := buildTree(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("dir /a 0755 0 0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	stage(t, "absolute", filepath.Join(root, "out/k8/bin/absolute"))
	list := "#: origin //a:a\n#: list out/cfg/bin/absolute\n"
	if err := os.WriteFile("all.list", []byte(list), 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), []string{"all.list"}, Options{Directives: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if diff := cmp.Diff([]string{"//a:a"}, packtest.Places(s.ResolveOutputs("out"))); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
