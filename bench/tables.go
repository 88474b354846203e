package main

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// maxMemory is the target for the packer's memory with these inputs, and maxMemoryMillion that with
// a million entries, in MiB.
const (
	maxMemory        = 256
	maxMemoryMillion = 1024
)

// group is a group of rows of a table: the packer's command, and those of its peers.
type group struct {
	title string
	ours  string
	peers []command
}

// uncompressed compares packing three inputs, each from a list and from a directory.
func (b *bench) uncompressed() error {
	inputs := []struct {
		name, title string
		make        func() error
	}{
		{"tree", "programs and libraries", b.tree},
		{"small", "small files", b.small},
		{"large", "one large file", b.large},
	}
	fmt.Print("\n### Without compression\n")
	for _, input := range inputs {
		if err := input.make(); err != nil {
			return err
		}
		list, err := os.ReadFile(b.path(input.name + ".list"))
		if err != nil {
			return err
		}
		fmt.Printf("\n%s: %d entries.\n", strings.ToUpper(input.title[:1])+input.title[1:], strings.Count(string(list), "\n"))
		forInput := func(line string) string { return strings.ReplaceAll(line, "INPUT", input.name) }
		fromDir := group{"from a directory", forInput("packer pack --out out INPUT"), []command{
			{line: forInput("gen_initramfs.sh -d @0 -o out INPUT"), peer: "gen_initramfs.sh"},
			{line: forInput("(cd INPUT && find . | sort | 3cpio --create ../out)"), peer: "3cpio"},
			{line: forInput("(cd INPUT && find . | cpio --create --format=newc --quiet --file=../out)"), peer: "cpio"},
			{line: forInput("(cd INPUT && find . | bsdcpio --create --format=newc --quiet >../out)"), peer: "bsdcpio"},
		}}
		switch input.name {
		case "tree":
			fromDir.peers[0].time = 1.0 / 40
		case "small":
			fromDir.peers = fromDir.peers[1:] // gen_initramfs.sh takes minutes
		}
		err = b.compare(
			group{"from a list", forInput("packer pack --out out INPUT.list"), []command{
				{line: forInput("gen_init_cpio -t 0 -o out INPUT.list"), peer: "gen_init_cpio", time: 1},
				{line: forInput("3cpio --create out <INPUT.manifest"), peer: "3cpio", time: 1},
			}},
			fromDir,
		)
		if err != nil {
			return err
		}
		if input.name != "tree" {
			if err := os.RemoveAll(b.path(input.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// compressed compares codecs on programs and libraries. The packer reads, archives and compresses;
// peers that only compress get the archive.
func (b *bench) compressed() error {
	if err := b.archive(); err != nil {
		return err
	}
	for _, level := range []string{"3", "9", "19"} {
		if err := b.manifestWith("zstd"+level+".manifest", "zstd -"+level); err != nil {
			return err
		}
	}
	fmt.Print("\n### With compression\n\nPrograms and libraries, from a list; `raw` is the uncompressed archive.\n")
	ours := func(method string) string { return "packer pack --compress " + method + " --out out tree.list" }
	zstd := func(level string, time, bytes float64) group {
		return group{"zstd " + level, ours("zstd:" + level), []command{
			{line: "3cpio --create out <zstd" + level + ".manifest", peer: "3cpio", time: time, bytes: bytes},
			{line: "zstd -q -" + level + " -T2 -c raw >out", peer: "zstd"},
		}}
	}
	return b.compare(
		group{"gzip 9", ours("gzip:9"), []command{
			{line: "pigz -n -9 -p2 -c raw >out", peer: "pigz", time: 1 / 1.5, bytes: 1.03},
			{line: "gzip -n -9 -c raw >out", peer: "gzip"},
		}},
		zstd("3", 0, 0),
		zstd("9", 1, 1.05),
		zstd("19", 0, 0),
		group{"xz", ours("xz"), []command{{line: "xz --check=crc32 --lzma2=dict=1MiB -T2 -c raw >out", peer: "xz"}}},
		group{"lzma", ours("lzma"), []command{{line: "lzma -9 -c raw >out", peer: "lzma"}}},
		group{"lz4", ours("lz4"), []command{{line: "lz4 -q -l -9 -c raw >out", peer: "lz4"}}},
		group{"lzo", ours("lzo"), []command{{line: "lzop -9 -c raw >out", peer: "lzop"}}},
		group{"bzip2", ours("bzip2"), []command{{line: "bzip2 -9 -c raw >out", peer: "bzip2"}}},
	)
}

// reading compares listing an image with only decompressing it, for images of the packer and of the
// programs.
func (b *bench) reading() error {
	if err := b.archive(); err != nil {
		return err
	}
	fmt.Print("\n### Reading\n\nPrograms and libraries; `raw.*` were compressed by the programs gzip and zstd, as a single member each.\n")
	for _, method := range []string{"gzip", "zstd"} {
		if err := b.run("packer", "pack", "--compress", method, "--out", "image."+method, "tree.list"); err != nil {
			return err
		}
	}
	groups := []group{
		{"gzip, several members", "packer ls image.gzip", []command{{line: "gzip -dc image.gzip", peer: "gzip", time: 1}}},
		{"zstd, several members", "packer ls image.zstd", []command{{line: "zstd -dc image.zstd", peer: "zstd", time: 2}}},
	}
	for _, c := range []struct {
		program, args, image string
		time                 float64
	}{
		{"gzip", "-n -9 -k raw", "raw.gz", 1},
		{"zstd", "-q -3 raw -o raw.zst", "raw.zst", 2},
	} {
		if !b.has(c.program) {
			continue
		}
		if err := os.RemoveAll(b.path(c.image)); err != nil {
			return err
		}
		if err := b.run(c.program, strings.Fields(c.args)...); err != nil {
			return err
		}
		groups = append(groups, group{c.program + ", one member", "packer ls " + c.image, []command{
			{line: c.program + " -dc " + c.image, peer: c.program, time: c.time},
		}})
	}
	return b.compare(groups...)
}

// archive packs the tree as "raw", without compression.
func (b *bench) archive() error {
	if err := b.tree(); err != nil {
		return err
	}
	return b.run("packer", "pack", "--out", "raw", "tree.list")
}

// compare measures groups and prints a table with a row per command, and then the most memory that
// the packer took.
func (b *bench) compare(groups ...group) error { return b.compareWithin(0, groups...) }

// compareWithin does the same, and also prints the target for the packer's time in the first group,
// in seconds, unless it is 0.
func (b *bench) compareWithin(most float64, groups ...group) error {
	fmt.Print("\n| | | s | MiB | bytes | time, packer : peer | bytes, packer : peer |\n|---|---|---|---|---|---|---|\n")
	memory, first := 0, 0.0
	for i, g := range groups {
		commands := append([]command{{line: g.ours}}, g.peers...)
		results, err := b.measure(commands)
		if err != nil {
			return err
		}
		ours := results[0]
		memory = max(memory, ours.memory)
		if i == 0 {
			first = ours.seconds
		}
		title := g.title
		for i, r := range results {
			if r == nil {
				continue
			}
			size, time, bytes := "", "", ""
			if r.bytes > 0 {
				size = fmt.Sprint(r.bytes)
			}
			if i > 0 {
				time = ratio(ours.seconds/r.seconds, commands[i].time, "%.3g")
				if r.bytes > 0 {
					bytes = ratio(float64(ours.bytes)/float64(r.bytes), commands[i].bytes, "%.3f")
				}
			}
			fmt.Printf("| %s | `%s` | %.3f | %s | %s | %s | %s |\n",
				title, strings.ReplaceAll(commands[i].line, "|", `\|`), r.seconds, mebibytes(r.memory), size, time, bytes)
			title = ""
		}
	}
	if most > 0 {
		fmt.Printf("\nThe packer takes %.3f s; %s.\n", first, target(first, most, "%.1f"))
	}
	fmt.Printf("\nThe packer takes at most %s MiB; %s.\n", mebibytes(memory), target(float64(memory)/1024, maxMemory, "%.0f"))
	return nil
}

// growth measures lists with more and more entries.
func (b *bench) growth() error {
	steps := []int{1_000, 10_000, 100_000, 1_000_000}
	lines := []string{"packer pack --out out entries", "packer ls image", "packer diff image image"}
	fmt.Print("\n### Growth\n\nFiles of 1 KiB, 99 in each directory; `image` is the packed list `entries`.\n\n| entries |")
	for _, line := range lines {
		fmt.Printf(" `%s`, s | MiB |", line)
	}
	fmt.Print("\n|---|" + strings.Repeat("---|---|", len(lines)) + "\n")
	seconds := make([][]float64, len(lines))
	memory := 0
	var commands []command
	for _, line := range lines {
		commands = append(commands, command{line: line})
	}
	for _, n := range steps {
		if err := b.entries("entries", n); err != nil {
			return err
		}
		if err := b.run("packer", "pack", "--out", "image", "entries"); err != nil {
			return err
		}
		results, err := b.measure(commands)
		if err != nil {
			return err
		}
		fmt.Printf("| %d |", n)
		for i, r := range results {
			fmt.Printf(" %.3f | %s |", r.seconds, mebibytes(r.memory))
			seconds[i] = append(seconds[i], r.seconds)
			memory = max(memory, r.memory)
		}
		fmt.Println()
	}
	fmt.Print("| exponent |")
	last := len(steps) - 1
	for _, s := range seconds {
		fmt.Printf(" %.2f | |", math.Log(s[last]/s[1])/math.Log(float64(steps[last])/float64(steps[1])))
	}
	fmt.Printf("\n\nThe exponent is the slope of log time over log entries from %d to %d. The packer takes at most %s MiB; %s.\n",
		steps[1], steps[last], mebibytes(memory), target(float64(memory)/1024, maxMemoryMillion, "%.0f"))
	return nil
}

// ratio formats a value and, unless it is 0, its target.
func ratio(value, most float64, format string) string {
	if most == 0 {
		return fmt.Sprintf(format, value)
	}
	return fmt.Sprintf(format, value) + " (" + target(value, most, format) + ")"
}

func target(value, most float64, format string) string {
	text := fmt.Sprintf("target ≤ "+format, most)
	if value > most {
		return text + ": missed"
	}
	return text
}
