package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const costBuild = `
load("@rules_initramfs//rules:defs.bzl", "initramfs", "initramfs_layer")

[
    initramfs_layer(
        name = "layer%d" % i,
        files = {"/%d/%d" % (i, part): "content/%d.%d" % (i, part) for part in range(10)},
    )
    for i in range(10)
]

[
    initramfs(
        name = split,
        compression = "zstd",
        layers = [":layer%d" % i for i in range(10)],
        lint = {"no-init": "off"},
        split = split,
    )
    for split in [
        "size",
        "layer",
        "none",
    ]
]
`

// costs are the targets to build, and the options for each.
var costs = []struct {
	name, target string
	options      []string
}{
	{`"none"`, "//cost:none", nil},
	{`"size"`, "//cost:size", nil},
	{`"layer"`, "//cost:layer", nil},
	{`"layer"`, "//cost:layer", []string{"--output_groups=parts"}},
}

// cost changes one file of a large image of ten layers. It builds the image with a cache that has
// the outputs from before the change, and then as another machine would. It prints a table for
// the page on benchmarks.
func cost(s *session) error {
	b, err := s.moduleCopy("cost", 1)
	if err != nil {
		return err
	}
	defer b.shutdown()
	if err := writeFile(filepath.Join(b.dir, "cost/BUILD.bazel"), []byte(costBuild)); err != nil {
		return err
	}
	// 10 layers have 10 files each.
	for i := range 100 {
		if err := writeHalf(filepath.Join(b.dir, fmt.Sprintf("cost/content/%d.%d", i/10, i%10)), uint64(i), s.size*10_000); err != nil {
			return err
		}
	}
	fmt.Printf("| `split` | built | actions | uploaded, MB | s | another machine downloads, MB | s |\n|---|---|---|---|---|---|---|\n")
	for i, c := range costs {
		dir := filepath.Join(s.temp, fmt.Sprintf("nginx%d", i))
		cache, err := startCache(dir, "")
		if err != nil {
			return err
		}
		line, err := s.costOf(b, cache, c.target, c.options, uint64(1000+i))
		cache.kill()
		if err != nil {
			return fmt.Errorf("%s: %w", c.target, err)
		}
		what := "the image"
		if c.options != nil {
			what = "the parts"
		}
		fmt.Printf("| `%s` | %s | %s |\n", c.name, what, line)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// costOf measures a change and returns the columns of its costs.
func (s *session) costOf(b *bazel, cache *cache, target string, options []string, seed uint64) (string, error) {
	options = append(options, "--disk_cache=", "--remote_cache="+cache.url(), target)
	b.command("clean")
	if _, err := b.build(options...); err != nil {
		return "", err
	}
	if _, err := cache.traffic(); err != nil {
		return "", err
	}
	if err := writeHalf(filepath.Join(b.dir, "cost/content/4.7"), seed, s.size*10_000); err != nil {
		return "", err
	}
	here, err := b.build(options...)
	if err != nil {
		return "", err
	}
	up, err := cache.traffic()
	if err != nil {
		return "", err
	}
	// Another machine has no outputs, as after a clean. It has not those from before the change
	// either, but needs them only if an action runs, and none does.
	b.command("clean")
	there, err := b.build(options...)
	if err != nil {
		return "", err
	}
	down, err := cache.traffic()
	if err != nil {
		return "", err
	}
	if err := expectRunner(there.packing(), "remote cache hit"); err != nil {
		return "", err
	}
	if down.puts > 0 {
		return "", errors.New("outputs that came from the cache were uploaded again")
	}
	ran := slices.DeleteFunc(here.packing(), func(p spawn) bool { return p.Runner == "remote cache hit" })
	return fmt.Sprintf("%s | %.1f | %.1f | %.1f | %.1f", strings.ReplaceAll(count(ran, mnemonicOf), "Initramfs", ""),
		float64(up.up)/1e6, here.seconds, float64(down.down)/1e6, there.seconds), nil
}

// writeHalf writes a file that compresses to about half its size.
func writeHalf(name string, seed uint64, size int) error {
	r := rand.New(rand.NewPCG(seed, 3))
	content := make([]byte, 0, size+8)
	for len(content) < size {
		bits := r.Uint64()
		for range 8 {
			content = append(content, "0123456789abcdef"[bits&15])
			bits >>= 4
		}
	}
	return writeFile(name, content[:size])
}
