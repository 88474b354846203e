package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// costLayers is the number of layers of the image, which have ten files each.
const costLayers = 10

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
	pkg := filepath.Join(b.dir, "cost")
	if err := os.MkdirAll(filepath.Join(pkg, "content"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(pkg, "BUILD.bazel"), []byte(costBuild), 0o644); err != nil {
		return err
	}
	for i := range costLayers {
		for part := range 10 {
			if err := writeHalf(filepath.Join(pkg, fmt.Sprintf("content/%d.%d", i, part)), uint64(10*i+part), s.size*10_000); err != nil {
				return err
			}
		}
	}
	fmt.Printf("| `split` | built | actions | uploaded, MB | s | another machine downloads, MB | s |\n|---|---|---|---|---|---|---|\n")
	for i, c := range costs {
		dir := filepath.Join(s.temp, fmt.Sprintf("nginx%d", i))
		cache, err := startCache(dir, "")
		if err != nil {
			return err
		}
		line, err := s.costOf(b, cache, dir, c.target, c.options, uint64(1000+i))
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
func (s *session) costOf(b *bazel, cache *engine, dir, target string, options []string, seed uint64) (string, error) {
	options = append(options, "--disk_cache=", "--remote_cache="+cache.url(), target)
	b.command("clean")
	if _, err := b.build(options...); err != nil {
		return "", err
	}
	_, offset, err := readTraffic(dir, 0)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(b.dir, "cost/content/4.7")
	if err := writeHalf(changed, seed, s.size*10_000); err != nil {
		return "", err
	}
	here, err := b.build(options...)
	if err != nil {
		return "", err
	}
	up, offset, err := readTraffic(dir, offset)
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
	down, _, err := readTraffic(dir, offset)
	if err != nil {
		return "", err
	}
	if err := expectRunner(there.packing(), "remote cache hit"); err != nil {
		return "", err
	}
	if down.puts > 0 {
		return "", errors.New("outputs that came from the cache were uploaded again")
	}
	var ran []spawn
	for _, p := range here.packing() {
		if p.Runner != "remote cache hit" {
			ran = append(ran, p)
		}
	}
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
	return os.WriteFile(name, content[:size], 0o644)
}
