package model_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
)

// An archive that is packed again gives a kernel the same files, or an error that names the
// archive. With missing directories added, it gives what the archive gives where they exist.
func TestPackModel(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	packed := 0
	all := allCases()
	for _, c := range all {
		var b bytes.Buffer
		b.Write(Record{Name: "c", Mode: cpio.TypeDir | 0o755, NLink: 2}.Bytes())
		for _, r := range append(c.Records, Trailer) {
			b.Write(r.Bytes())
		}
		if err := os.WriteFile(in, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, parents := range []bool{false, true} {
			opts := pack.Options{Lists: []string{in}, Parents: parents}
			opts.Out = out
			opts.Method, _ = codec.Parse("none")
			if err := pack.Run(t.Context(), opts); err != nil {
				if places := places(err); len(places) == 0 || places[0] != in {
					t.Errorf("case %s, %s: the error does not name the archive: %v", c.Dir, c.Name, err)
				}
				continue
			}
			packed++
			reference := kernel.NewModel()
			if parents {
				reference = kernel.NewImplied()
			}
			want, got := filesIn(t, in, reference), filesIn(t, out, kernel.NewModel())
			for _, at := range slices.Sorted(maps.Keys(merged(want, got))) {
				if want[at] != got[at] {
					t.Errorf("case %s, %s, parents %v: %q differs\n  archive: %s\n  packed:  %s\n%s",
						c.Dir, c.Name, parents, at, orNothing(want[at]), orNothing(got[at]), describe(c))
				}
			}
		}
	}
	if t.Logf("%d of %d are packed", packed, 2*len(all)); packed < len(all)/10 {
		t.Error("hardly a case is packed")
	}
}

// places returns where errors are.
func places(err error) []string {
	var all []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			all = append(all, places(err)...)
		}
	} else if inList, ok := err.(*list.Error); ok {
		all = append(all, inList.Pos.String())
	}
	return all
}

// filesIn returns the files that a model has of an image. Times and the names of what is
// not a regular file are not compared: a list has neither.
func filesIn(t *testing.T, name string, model *kernel.Model) map[string]string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.Read(image.NewReader(bytes.NewReader(content)), true, nil); err != nil {
		t.Fatal(err)
	}
	firsts := map[*kernel.File]string{}
	for _, at := range slices.Sorted(maps.Keys(model.Files)) {
		if f := model.Files[at]; firsts[f] == "" {
			firsts[f] = at
		}
	}
	files := map[string]string{}
	for at, f := range model.Files {
		line := fmt.Sprintf("%06o %d:%d dev %d,%d target %q", f.Mode, f.UID, f.GID, f.RMajor, f.RMinor, f.Target)
		if f.Type() == cpio.TypeRegular {
			line += fmt.Sprintf(" links %d size %d %x first %q", f.NLink, f.Size, f.Digest[:6], firsts[f])
		}
		if at != "/" {
			files[at] = line
		}
	}
	return files
}
