// Command kernel compiles a Linux kernel once and links initramfs images into it.
package main

import (
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
)

var program = cli.Program{
	Name: "kernel",
	Commands: []cli.Command{
		{Name: "compile", Summary: "compile a kernel from its source", Run: runCompile},
		{Name: "link", Summary: "link an initramfs into a kernel that compile has made", Run: runLink},
	},
}

func main() {
	os.Exit(program.Run(os.Args[1:], os.Stdout, os.Stderr))
}
