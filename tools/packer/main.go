// Command packer packs Linux initramfs images.
package main

import (
	"os"
	"path/filepath"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
)

var program = cli.Program{
	Name:    "packer",
	Version: "0.2.0", // changes with the bytes that the packer writes
	// A file and a row each.
	Commands: []cli.Command{
		{Name: "pack", Summary: "make an archive of what lists, directories and archives say", Run: runPack},
		{Name: "gen_init_cpio", Summary: "pack a list as the kernel's usr/gen_init_cpio does", Run: runGenInitCpio},
		{Name: "gen_initramfs", Summary: "pack lists and directories as the kernel's usr/gen_initramfs.sh does", Run: runGenInitramfs},
		{Name: "concat", Summary: "join images", Run: runConcat},
		{Name: "join", Summary: "join the layers of an image", Run: runJoin},
		{Name: "bootconfig", Summary: "print, add or remove the boot configuration behind an image", Run: runBootconfig},
		{Name: "ls", Summary: "list what is in an image", Run: runLs},
		{Name: "cat", Summary: "print files of an image", Run: runCat},
		{Name: "extract", Summary: "unpack an image to a directory", Run: runExtract},
		{Name: "diff", Summary: "compare what is in two images", Run: runDiff},
		{Name: "lint", Summary: "find what is wrong with an image before it boots", Run: runLint},
	},
}

// links are the names that make the packer a command of its own, as a link to
// it has: those of the kernel's tools, which it can replace.
var links = map[string]string{
	"gen_init_cpio":    "gen_init_cpio",
	"gen_initramfs":    "gen_initramfs",
	"gen_initramfs.sh": "gen_initramfs",
}

func main() {
	args := os.Args[1:]
	if name, ok := links[filepath.Base(os.Args[0])]; ok {
		args = append([]string{name}, args...)
	}
	os.Exit(program.Run(args, os.Stdout, os.Stderr))
}
