package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/measure"
	"github.com/rules-initramfs/rules_initramfs/internal/workspace"
)

// goldenTest compares a file with the one that is checked in, or updates that one.
type goldenTest struct {
	// Got and Want are the runfiles paths of the file that was built and of the golden one.
	Got  string `json:"got"`
	Want string `json:"want"`
	// Kind says what the files are.
	Kind goldenKind `json:"kind"`
	// Source is where the golden file is in the workspace.
	Source string `json:"source"`
	// Update writes what was built to Source.
	Update bool `json:"update"`
	// UpdateLabel is the target that does so, for the message.
	UpdateLabel string `json:"update_label"`
}

// goldenKind is what a goldenTest compares.
type goldenKind string

const (
	goldenListing      goldenKind = "listing"      // the listing of an image
	goldenMeasurements goldenKind = "measurements" // what a TPM holds after a boot
)

// maxFiles is how many files of an initramfs explain a difference of measurements.
const maxFiles = 50

// run compares or updates. It reports whether the files are the same.
func (t *goldenTest) run(out io.Writer, rlocation func(string) (string, error)) (bool, error) {
	got, err := readRunfile(rlocation, t.Got)
	if err != nil {
		return false, err
	}
	if t.Update {
		return true, workspace.WriteFile(out, t.Source, got)
	}
	want, err := readRunfile(rlocation, t.Want)
	if err != nil || bytes.Equal(got, want) {
		return err == nil, err
	}
	if t.Kind == goldenMeasurements {
		fmt.Fprintf(out, "%s differs from what the payload gives:\n", t.Source)
		if err := explainMeasurements(out, want, got); err != nil {
			fmt.Fprintf(out, "%s: %v\n", t.Source, err)
		}
		fmt.Fprintf(out, "\nIf the payload is as it should be: bazel run %s\n", t.UpdateLabel)
		return false, nil
	}
	fmt.Fprintf(out, "%s differs from what is in the image (-: only there, +: only in the image):\n", t.Source)
	for _, line := range diffLines(lines(want), lines(got)) {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintf(out, "\nIf the image is as it should be: bazel run %s\n", t.UpdateLabel)
	return false, nil
}

// explainMeasurements says why measurements differ. A golden file that cannot be read, such as one that is
// empty at first, is an error.
func explainMeasurements(out io.Writer, want, got []byte) error {
	before, err := measure.ReadReport(bytes.NewReader(want))
	if err != nil {
		return err
	}
	after, err := measure.ReadReport(bytes.NewReader(got))
	if err != nil {
		return err
	}
	_, err = measure.Explain(out, [2]string{"golden", "built"}, before, after, maxFiles)
	return err
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

// diffLines returns the lines that only one side has, in the image's order; a line
// that has moved is one of each.
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
