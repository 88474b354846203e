// Command packer makes, reads and checks Linux initramfs images.
package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
)

// version changes with the bytes that the packer writes.
const version = "0.2.0"

// Groups of commands.
const (
	groupMake    = "make"
	groupPayload = "payload"
	groupRead    = "read"
	groupCheck   = "check"
	groupDevice  = "device"
	groupKernel  = "kernel"
)

// newProgram returns the packer with its commands; each has a file of its own.
func newProgram() *cobra.Command {
	program := &cobra.Command{
		Use:     "packer",
		Short:   "make, read and check Linux initramfs images",
		Long:    "Make, read and check Linux initramfs images.",
		Version: version,
	}
	program.AddGroup(
		&cobra.Group{ID: groupMake, Title: "Make images"},
		&cobra.Group{ID: groupPayload, Title: "Make payloads"},
		&cobra.Group{ID: groupRead, Title: "Read images"},
		&cobra.Group{ID: groupCheck, Title: "Check images"},
		&cobra.Group{ID: groupDevice, Title: "Find drivers"},
		&cobra.Group{ID: groupKernel, Title: "Replace the kernel's tools"},
	)
	program.AddCommand(
		packCommand(),
		joinCommand(),
		linksCommand(),
		modulesCommand(),
		signModulesCommand(),
		concatCommand(),
		bootconfigCommand(),
		ukiCommand(),
		pcrSignCommand(),
		signEFICommand(),
		efiDiskCommand(),
		efiVariablesCommand(),
		measureCommand(),
		measureCheckCommand(),
		measureDiffCommand(),
		measureSNPCommand(),
		fitCommand(),
		fitSignCommand(),
		fitKeyCommand(),
		fitVerifyCommand(),
		uimageCommand(),
		androidBootCommand(),
		androidVendorBootCommand(),
		lsCommand(),
		catCommand(),
		extractCommand(),
		diffCommand(),
		lintCommand(),
		devicesCommand(),
		driverIndexCommand(),
		genInitCpioCommand(),
		genInitramfsCommand(),
		depmodCommand(),
	)
	return program
}

// links maps the names of links to the packer to the commands that they run: the packer can
// replace the kernel's tools.
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
	os.Exit(cli.Run(newProgram(), args, os.Stdout, os.Stderr))
}
