// Command kernel compiles a Linux kernel once and links initramfs images into it.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
)

func newProgram() *cobra.Command {
	program := &cobra.Command{
		Use:   "kernel",
		Short: "compile Linux kernels and link initramfs images into them",
		Long:  "Compile a Linux kernel once, link initramfs images into it, and compile device trees.",
	}
	program.AddGroup(&cobra.Group{ID: groupKernels, Title: "Kernels"})
	program.AddCommand(compileCommand(), linkCommand(), deviceTreeCommand())
	return program
}

const groupKernels = "kernels"

func main() { os.Exit(cli.Run(newProgram(), os.Args[1:], os.Stdout, os.Stderr)) }
