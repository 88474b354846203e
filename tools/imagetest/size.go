package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/glob"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// sizeTest is an image and its budgets. Paths are runfiles paths.
type sizeTest struct {
	Image string `json:"image"`
	// Entries is the JSON of what is in it, with the labels of targets.
	Entries string `json:"entries"`
	// MaxBytes is the most that the image may have, as it is stored; -1 for no limit.
	MaxBytes int64 `json:"max_bytes"`
	// MaxByGlob are the most bytes that the files may have that a glob matches, in total
	// and before compression.
	MaxByGlob map[string]int64 `json:"max_by_glob"`
}

// shown is how many of the largest files a failure lists.
const shown = 20

type file struct {
	name   string
	size   int64
	origin string
}

// run compares the image with its budgets and prints each. It reports whether all are kept.
func (t *sizeTest) run(out io.Writer, rlocation func(string) (string, error)) (bool, error) {
	image, err := rlocation(t.Image)
	if err != nil {
		return false, err
	}
	info, err := os.Stat(image)
	if err != nil {
		return false, err
	}
	files, err := t.files(rlocation)
	if err != nil {
		return false, err
	}
	ok := true
	if t.MaxBytes >= 0 {
		ok = report(out, "the image", info.Size(), t.MaxBytes, files)
	}
	for _, text := range slices.Sorted(maps.Keys(t.MaxByGlob)) {
		pattern, err := glob.Parse(text)
		if err != nil {
			return false, err
		}
		var matched []file
		var total int64
		for _, f := range files {
			if pattern.Match(f.name, false) {
				matched = append(matched, f)
				total += f.size
			}
		}
		if len(matched) == 0 {
			fmt.Fprintf(out, "FAIL: %s matches no file of the image\n", text)
			ok = false
		} else if !report(out, text, total, t.MaxByGlob[text], matched) {
			ok = false
		}
	}
	return ok, nil
}

// report prints whether a budget is kept and, if not, the largest files.
func report(out io.Writer, what string, size, budget int64, files []file) bool {
	if size <= budget {
		fmt.Fprintf(out, "%s: %d of %d bytes\n", what, size, budget)
		return true
	}
	fmt.Fprintf(out, "FAIL: %s: %d bytes, %d over the budget of %d; the largest files, before compression:\n", what, size, size-budget, budget)
	slices.SortStableFunc(files, func(a, b file) int { return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.name, b.name)) })
	for _, f := range files[:min(shown, len(files))] {
		fmt.Fprintf(out, "  %10d  %s", f.size, f.name)
		if f.origin != "" {
			fmt.Fprintf(out, "  (%s)", f.origin)
		}
		fmt.Fprintln(out)
	}
	return false
}

// files returns the image's regular files that have content, each once: of hard links,
// the name with the content.
func (t *sizeTest) files(rlocation func(string) (string, error)) ([]file, error) {
	text, err := readRunfile(rlocation, t.Entries)
	if err != nil {
		return nil, err
	}
	var files []file
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var e struct {
			Name      string `json:"name"`
			NameBytes []byte `json:"name_bytes"`
			Type      string `json:"type"`
			Size      int64  `json:"size"`
			Origin    string `json:"origin"`
		}
		if err := d.Decode(&e); err == io.EOF {
			return files, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Entries, err)
		}
		if e.NameBytes != nil {
			e.Name = string(e.NameBytes)
		}
		if e.Type == list.File.String() && e.Size > 0 {
			files = append(files, file{"/" + e.Name, e.Size, e.Origin})
		}
	}
}
