package pack

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// unpacked returns what a kernel makes of an image.
func unpacked(t *testing.T, img []byte) map[string]*kernel.File {
	t.Helper()
	r := image.NewReader(bytes.NewReader(img))
	defer r.Close()
	m, err := kernel.ReadModel(r, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.Files
}

// randomLayer is a list with directives, of a few paths so that layers clash.
func randomLayer(r *rand.Rand, origin string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#: origin %s\n", origin)
	given := map[string]bool{}
	for range 1 + r.IntN(4) {
		path := "/" + string("abc"[r.IntN(3)])
		if r.IntN(2) == 0 {
			path += "/" + string("de"[r.IntN(2)])
		}
		if given[path] {
			continue
		}
		given[path] = true
		perm, owner := []string{"0755", "0600"}[r.IntN(2)], r.IntN(2)
		switch r.IntN(6) {
		case 0, 1:
			fmt.Fprintf(&b, "dir %s %s %d 0\n", path, perm, owner)
		case 2:
			fmt.Fprintf(&b, "file %s content/%d %s %d 0\n", path, r.IntN(3), perm, owner)
		case 3:
			if other := path + "2"; !given[other] {
				given[other] = true
				fmt.Fprintf(&b, "file %s content/%d %s %d 0 %s\n", path, r.IntN(3), perm, owner, other)
			}
		case 4:
			fmt.Fprintf(&b, "slink %s %s 0777 %d 0\n", path, []string{"a", "/b"}[r.IntN(2)], owner)
		case 5:
			fmt.Fprintf(&b, "nod %s %s %d 0 c 1 %d\n", path, perm, owner, r.IntN(2))
		}
		if r.IntN(3) == 0 {
			fmt.Fprintf(&b, "#: replaces %s\n", path)
		}
	}
	return b.String()
}

// An image that is joined unpacks to what its list says: packed by itself, the list
// unpacks to the same.
func TestJoinUnpacksToItsList(t *testing.T) {
	packtest.InTree(t, map[string]string{"content/0": "", "content/1": "one", "content/2": "another"})
	joined, replaced, restored := 0, 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 11))
		var archives, lists []string
		var text string
		for i := range 2 + r.IntN(2) {
			archive, completed := fmt.Sprintf("%d.cpio", i), fmt.Sprintf("%d.list", i)
			directives := randomLayer(r, fmt.Sprintf("//l:%d", i))
			text += directives
			if err := os.WriteFile("in.list", []byte(directives), 0o666); err != nil {
				t.Fatal(err)
			}
			err := Run(context.Background(), Options{
				Options: write.Options{Out: archive, ListOut: completed, Layer: true, Jobs: 1},
				Read:    source.Options{Directives: true},
				Lists:   []string{"in.list"},
				Parents: true,
			})
			if err != nil {
				break // not a layer by itself
			}
			archives, lists = append(archives, archive), append(lists, completed)
		}
		if len(archives) < 2 || Join(context.Background(), Layers{Archives: archives, Lists: lists}, write.Options{Out: "image", ListOut: "image.list", Jobs: 1}) != nil {
			continue
		}
		joined++
		if strings.Contains(text, "replaces") {
			replaced++
		}
		img, err := os.ReadFile("image")
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(img, []byte("TRAILER!!!")); n > len(archives) {
			restored++
		}
		if err := Run(context.Background(), Options{Lists: []string{"image.list"}, Options: write.Options{Out: "whole", Jobs: 1}}); err != nil {
			t.Fatalf("seed %d: the list cannot be packed: %v\n%s", seed, err, text)
		}
		whole, err := os.ReadFile("whole")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(unpacked(t, whole), unpacked(t, img),
			cmpopts.IgnoreUnexported(kernel.File{}), cmpopts.IgnoreFields(kernel.File{}, "Body")); diff != "" {
			t.Fatalf("seed %d: files (-list +image):\n%s\nof\n%s", seed, diff, text)
		}
	}
	if joined < 40 || replaced < 10 || restored < 3 {
		t.Errorf("%d joined, %d of them with replacements, %d with directories restored: too few to tell", joined, replaced, restored)
	}
}

// An image is the same however it is split: packed as one archive and joined of layers, the
// same targets unpack to the same, or both are refused. Layers alone are refused for what a
// kernel cannot undo, and one archive for a replacement by way of a symbolic link.
func TestLayersAreOneArchive(t *testing.T) {
	packtest.InTree(t, map[string]string{"content/0": "", "content/1": "one", "content/2": "another"})
	both, refused, layersOnly, archiveOnly := 0, 0, 0, 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 12))
		var archives, lists, links []string
		var text string
		var layered error
		for i := range 2 {
			archive, completed := fmt.Sprintf("%d.cpio", i), fmt.Sprintf("%d.list", i)
			directives := randomLayer(r, fmt.Sprintf("//l:%d", i))
			text += directives
			if err := os.WriteFile("in.list", []byte(directives), 0o666); err != nil {
				t.Fatal(err)
			}
			layered = stdcmp.Or(layered, Run(t.Context(), Options{
				Options: write.Options{Out: archive, ListOut: completed, Layer: true, Jobs: 1},
				Read:    source.Options{Directives: true},
				Lists:   []string{"in.list"},
				Earlier: links,
				Parents: true,
			}))
			if err := Links(t.Context(), []string{"in.list"}, source.Options{Directives: true}, completed+".links"); err != nil {
				t.Fatal(err)
			}
			links = append(links, completed+".links")
			archives, lists = append(archives, archive), append(lists, completed)
		}
		layered = stdcmp.Or(layered, Join(t.Context(), Layers{Archives: archives, Lists: lists}, write.Options{Out: "image", ListOut: "image.list", Jobs: 1}))
		if err := os.WriteFile("in.list", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		whole := Run(t.Context(), Options{
			Options: write.Options{Out: "whole", Jobs: 1},
			Read:    source.Options{Directives: true},
			Lists:   []string{"in.list"},
			Parents: true,
		})
		switch {
		case whole != nil && layered != nil:
			refused++
		case layered != nil:
			layersOnly++
		case whole != nil:
			archiveOnly++
		default:
			both++
			if diff := cmp.Diff(unpackedFile(t, "whole"), unpackedFile(t, "image"),
				cmpopts.IgnoreUnexported(kernel.File{}), cmpopts.IgnoreFields(kernel.File{}, "Body")); diff != "" {
				t.Errorf("seed %d: files (-archive +layers):\n%s\nof\n%s", seed, diff, text)
			}
		}
	}
	if both < 30 || refused < 100 || layersOnly > both/5 || archiveOnly > both/20 {
		t.Errorf("%d packed both ways, %d refused both ways, %d as layers only, %d as one archive only", both, refused, layersOnly, archiveOnly)
	}
}

func unpackedFile(t *testing.T, name string) map[string]*kernel.File {
	t.Helper()
	img, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return unpacked(t, img)
}

func TestJoinErrors(t *testing.T) {
	messages := map[string]string{}
	t.Run("in a directory", func(t *testing.T) {
		packtest.InTree(t, map[string]string{
			"empty":     "",
			"junk":      "junk",
			"bad.list":  "pipe\n",
			"some.list": "pipe /p 0600 0 0\n",
		})
		if err := Run(context.Background(), Options{Lists: []string{"some.list"}, Options: write.Options{Out: "good", Jobs: 1}}); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			layer []string
			want  error
		}{
			{[]string{"empty", "some.list"}, io.EOF},
			{[]string{"junk", "some.list"}, image.ErrJunk},
			{[]string{"gone", "some.list"}, fs.ErrNotExist},
			{[]string{"good", "gone"}, fs.ErrNotExist},
			{[]string{"good", "bad.list"}, nil},
		} {
			before := packtest.Tree(t)
			err := Join(context.Background(), Layers{Archives: test.layer[:1], Lists: test.layer[1:]}, write.Options{Out: "out", ListOut: "out.list", Jobs: 1})
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v: %v, want %v", test.layer, err, test.want)
			}
			if diff := cmp.Diff(before, packtest.Tree(t)); diff != "" {
				t.Errorf("%v leaves (-before +after):\n%s", test.layer, diff)
			}
			messages[fmt.Sprintf("{%s %s}", test.layer[0], test.layer[1])] = packtest.Message(err)
		}
	})
	golden.Messages(t, "TestJoinErrors.txt", messages)
}

// Nothing is left of a join that is interrupted.
func TestJoinCanceled(t *testing.T) {
	packtest.InTree(t, map[string]string{"some.list": "pipe /p 0600 0 0\n"})
	if err := Run(context.Background(), Options{Lists: []string{"some.list"}, Options: write.Options{Out: "good", Jobs: 1}}); err != nil {
		t.Fatal(err)
	}
	before := packtest.Tree(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Join(ctx, Layers{Archives: []string{"good"}, Lists: []string{"some.list"}}, write.Options{Out: "out", Jobs: 1}); err != context.Canceled {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if diff := cmp.Diff(before, packtest.Tree(t)); diff != "" {
		t.Errorf("it leaves (-before +after):\n%s", diff)
	}
}
