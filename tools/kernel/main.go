// Command kernel compiles a Linux kernel once, links initramfs images into it, and compiles modules for
// it.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
)

func newProgram() *cobra.Command {
	program := &cobra.Command{
		Use:   "kernel",
		Short: "compile Linux kernels and what belongs to them, and link initramfs images into them",
		Long:  "Compile a Linux kernel once, link initramfs images into it, and compile modules and device trees\nfor it.",
	}
	program.AddGroup(&cobra.Group{ID: groupKernels, Title: "Kernels"}, &cobra.Group{ID: groupModules, Title: "What belongs to a kernel"})
	program.AddCommand(compileCommand(), linkCommand(), deviceTreeCommand(), headersCommand(), importHeadersCommand(), moduleCommand())
	return program
}

const (
	groupKernels = "kernels"
	groupModules = "modules"
)

func main() { os.Exit(cli.Run(newProgram(), os.Args[1:], os.Stdout, os.Stderr)) }
