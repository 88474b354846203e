// Package golden compares the listing of an image with a file that is checked in.
package golden

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Test is a comparison, or the update that makes it succeed.
type Test struct {
	// Got and Want are the runfiles paths of the listing and of the golden file.
	Got  string `json:"got"`
	Want string `json:"want"`
	// Source is the path of the golden file in the workspace.
	Source string `json:"source"`
	// Update writes the listing to Source.
	Update bool `json:"update"`
	// UpdateLabel is the target that does that, for the message.
	UpdateLabel string `json:"update_label"`
}

// Run compares or updates. It reports whether the listings are the same.
func (t *Test) Run(out io.Writer, rlocation func(string) (string, error)) (bool, error) {
	got, err := readRunfile(rlocation, t.Got)
	if err != nil {
		return false, err
	}
	if t.Update {
		return true, t.update(out, got)
	}
	want, err := readRunfile(rlocation, t.Want)
	if err != nil {
		return false, err
	}
	if bytes.Equal(got, want) {
		return true, nil
	}
	fmt.Fprintf(out, "%s differs from the image (-: only in the file, +: only in the image):\n", t.Source)
	for _, line := range diffLines(lines(want), lines(got)) {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintf(out, "\nIf the image is right, update the file: bazel run %s\n", t.UpdateLabel)
	return false, nil
}

func (t *Test) update(out io.Writer, listing []byte) error {
	workspace := os.Getenv("BUILD_WORKSPACE_DIRECTORY")
	if workspace == "" {
		return errors.New("not run by bazel run: BUILD_WORKSPACE_DIRECTORY is not set")
	}
	name := filepath.Join(workspace, t.Source)
	// A link to a file elsewhere is replaced: the file may not be ours.
	if err := os.WriteFile(name+".new", listing, 0o644); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		os.Remove(name + ".new")
		return err
	}
	fmt.Fprintln(out, "wrote", t.Source)
	return nil
}

func readRunfile(rlocation func(string) (string, error), path string) ([]byte, error) {
	name, err := rlocation(path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(name)
}

func lines(text []byte) []string {
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// diffLines returns the lines that only one side has, in the order of the image. A line that
// moved is removed and added.
func diffLines(want, got []string) []string {
	places := map[string][]int{}
	for i, line := range want {
		places[line] = append(places[line], i)
	}
	var diff []string
	next := 0
	for _, line := range got {
		at := places[line]
		i, _ := slices.BinarySearch(at, next)
		if i == len(at) {
			diff = append(diff, "+ "+line)
			continue
		}
		for _, gone := range want[next:at[i]] {
			diff = append(diff, "- "+gone)
		}
		next = at[i] + 1
	}
	for _, gone := range want[next:] {
		diff = append(diff, "- "+gone)
	}
	return diff
}
