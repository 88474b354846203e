package runfiles_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

func rlocation(t *testing.T, name string) string {
	t.Helper()
	path, err := runfiles.Rlocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A program finds its libraries at any path of an image. It exits with what a library says.
func TestDynamic(t *testing.T) {
	words := strings.Fields(os.Getenv("DYNAMIC"))
	if len(words) == 0 {
		t.Skip("needs images that Bazel builds: run it with bazel test")
	}
	packer := rlocation(t, os.Getenv("PACKER"))
	for image := range slices.Chunk(words, 2) {
		t.Run(image[0], func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "root")
			if out, err := exec.Command(packer, "extract", rlocation(t, image[1]), dir).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, err := exec.Command(dir + image[0]).CombinedOutput()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != 42 {
				t.Errorf("%v, want exit code 42\n%s", err, out)
			}
		})
	}
}

// The metadata of a path that is a link to a program are those of the program.
func TestMetadata(t *testing.T) {
	name := os.Getenv("METADATA")
	if name == "" {
		t.Skip("needs a list that Bazel builds: run it with bazel test")
	}
	for path, e := range packed(t, name, "/bin/app.runfiles") {
		if filepath.Base(path) == "dynamic" {
			if e.Perm != 0o4750 || e.UID != 0 || e.GID != 4 {
				t.Errorf("%s, want 04750 0 4", e)
			}
			return
		}
	}
	t.Error("the program is not among its runfiles")
}
