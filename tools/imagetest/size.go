package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/glob"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// sizeTest is an image and its budgets. Paths are runfiles paths.
type sizeTest struct {
	Image string `json:"image"`
	// Entries is the JSON of what is in it, with the labels of targets.
	Entries string `json:"entries"`
	// MaxBytes is the most that the image may have, as it is stored; -1 for no limit.
	MaxBytes int64 `json:"max_bytes"`
	// MaxByGlob are the most bytes that the files that a glob matches may have, in total and
	// before compression. A file with several names counts if the glob matches one of them,
	// and once if it matches more.
	MaxByGlob map[string]int64 `json:"max_by_glob"`
}

// shown is how many of the largest files a failure lists.
const shown = 20

// file is a regular file that a kernel unpacks from the image.
type file struct {
	names []string // sorted
	size  int64
}

// run compares the image with its budgets and prints each. It reports whether all are kept.
func (t *sizeTest) run(out io.Writer, rlocation func(string) (string, error)) (bool, error) {
	name, err := rlocation(t.Image)
	if err != nil {
		return false, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	origins, err := t.origins(rlocation)
	if err != nil {
		return false, err
	}
	files, err := regularFiles(name)
	if err != nil {
		return false, err
	}
	ok := true
	if t.MaxBytes >= 0 {
		ok = report(out, "the image", info.Size(), t.MaxBytes, files, origins)
	}
	for _, text := range slices.Sorted(maps.Keys(t.MaxByGlob)) {
		pattern, err := glob.Parse(text)
		if err != nil {
			return false, err
		}
		var matched []file
		var total int64
		for _, f := range files {
			f.names = slices.DeleteFunc(slices.Clone(f.names), func(name string) bool { return !pattern.Match(name, false) })
			if len(f.names) > 0 {
				matched = append(matched, f)
				total += f.size
			}
		}
		if len(matched) == 0 {
			fmt.Fprintf(out, "FAIL: %s matches no regular file of the image\n", text)
			ok = false
		} else if !report(out, text, total, t.MaxByGlob[text], matched, origins) {
			ok = false
		}
	}
	return ok, nil
}

// report prints whether a budget is kept and, if not, the largest files.
func report(out io.Writer, what string, size, budget int64, files []file, origins map[string]string) bool {
	if size <= budget {
		fmt.Fprintf(out, "%s: %d of %d bytes\n", what, size, budget)
		return true
	}
	fmt.Fprintf(out, "FAIL: %s: %d bytes, %d over the budget of %d; the largest files, before compression:\n", what, size, size-budget, budget)
	slices.SortFunc(files, func(a, b file) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.names[0], b.names[0]))
	})
	for _, f := range files[:min(shown, len(files))] {
		fmt.Fprintf(out, "  %10d  %s", f.size, listing.Printable(f.names[0]))
		if more := len(f.names) - 1; more > 0 {
			fmt.Fprintf(out, " +%d", more)
		}
		if origin := origins[f.names[0]]; origin != "" {
			fmt.Fprintf(out, "  (%s)", printable.Text(origin))
		}
		fmt.Fprintln(out)
	}
	return false
}

// regularFiles returns the regular files that a kernel unpacks from the named image.
func regularFiles(name string) ([]file, error) {
	ctx := context.Background()
	img, err := image.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	model, err := kernel.ReadModel(img.Reader, false, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	byFile := map[*kernel.File]*file{}
	for name, f := range model.Files {
		if f.Type() != cpio.TypeRegular {
			continue
		}
		if byFile[f] == nil {
			byFile[f] = &file{size: f.Size}
		}
		byFile[f].names = append(byFile[f].names, name)
	}
	var files []file
	for _, f := range byFile {
		slices.Sort(f.names)
		files = append(files, *f)
	}
	return files, nil
}

// origins returns the labels of the targets that the image's files come from, by path.
func (t *sizeTest) origins(rlocation func(string) (string, error)) (map[string]string, error) {
	text, err := readRunfile(rlocation, t.Entries)
	if err != nil {
		return nil, err
	}
	origins := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var e struct {
			Name      string `json:"name"`
			NameBytes []byte `json:"name_bytes"`
			Origin    string `json:"origin"`
		}
		if err := d.Decode(&e); err == io.EOF {
			return origins, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Entries, err)
		}
		if e.NameBytes != nil {
			e.Name = string(e.NameBytes)
		}
		origins["/"+e.Name] = e.Origin
	}
}
