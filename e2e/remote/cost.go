package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// costLayers is how many layers the image has, of ten files each.
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
        name = segments,
        compression = "zstd",
        layers = [":layer%d" % i for i in range(10)],
        lint = {"no-init": "off"},
        segments = segments,
    )
    for segments in [
        "auto",
        "layer",
        "one",
    ]
]
`

// costs are what is built, and how.
var costs = []struct {
	name, target string
	options      []string
}{
	{`"one"`, "//cost:one", nil},
	{`"auto"`, "//cost:auto", nil},
	{`"layer"`, "//cost:layer", nil},
	{`"layer"`, "//cost:layer", []string{"--output_groups=segments"}},
}

// cost changes one file of a large image of ten layers, builds it with a cache that has
// what was before, and then on another machine, that has what was before as well. It
// prints a table for docs/benchmarks.md.
func cost(s *session) error {
	b, err := s.moduleCopy("cost", 1)
	if err != nil {
		return err
	}
	defer b.shutdown()
	package_ := filepath.Join(b.dir, "cost")
	if err := os.MkdirAll(filepath.Join(package_, "content"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(package_, "BUILD.bazel"), []byte(costBuild), 0o644); err != nil {
		return err
	}
	for i := range costLayers {
		for part := range 10 {
			if err := writeHalf(filepath.Join(package_, fmt.Sprintf("content/%d.%d", i, part)), uint64(10*i+part), s.size*10_000); err != nil {
				return err
			}
		}
	}
	fmt.Printf("| `segments` | built | actions | uploaded, MB | s | another machine downloads, MB | s |\n|---|---|---|---|---|---|---|\n")
	for i, c := range costs {
		folder := filepath.Join(s.temp, fmt.Sprintf("nginx%d", i))
		cache, err := startCache(folder, "")
		if err != nil {
			return err
		}
		line, err := s.costOf(b, cache, folder, c.target, c.options, uint64(1000+i))
		cache.kill()
		if err != nil {
			return fmt.Errorf("%s: %w", c.target, err)
		}
		built := "the image"
		if c.options != nil {
			built = "the segments"
		}
		fmt.Printf("| `%s` | %s | %s |\n", c.name, built, line)
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	return nil
}

// costOf returns the columns of what a change costs.
func (s *session) costOf(b *bazel, cache *engine, folder, target string, options []string, seed uint64) (string, error) {
	options = append(options, "--disk_cache=", "--remote_cache="+cache.url(), target)
	b.command("clean")
	if _, err := b.build(options...); err != nil {
		return "", err
	}
	_, offset, err := readTraffic(folder, 0)
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
	up, offset, err := readTraffic(folder, offset)
	if err != nil {
		return "", err
	}
	// Another machine: nothing of it is there, as after a clean; what did not change it has
	// not either, but needs only where an action runs, and none does.
	b.command("clean")
	there, err := b.build(options...)
	if err != nil {
		return "", err
	}
	down, _, err := readTraffic(folder, offset)
	if err != nil {
		return "", err
	}
	if err := expectRunner(there.packing(), "remote cache hit"); err != nil {
		return "", err
	}
	if down.puts > 0 {
		return "", errors.New("what came from the cache was uploaded again")
	}
	var ran []spawn
	for _, p := range here.packing() {
		if p.Runner != "remote cache hit" {
			ran = append(ran, p)
		}
	}
	return fmt.Sprintf("%s | %.1f | %.1f | %.1f | %.1f", strings.ReplaceAll(counted(ran, mnemonicOf), "Initramfs", ""),
		float64(up.up)/1e6, here.seconds, float64(down.down)/1e6, there.seconds), nil
}

// writeHalf writes a file that compresses to about a half.
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
