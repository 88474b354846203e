package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/disk"
	"github.com/rules-initramfs/rules_initramfs/internal/disk/fat"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func efiDiskCommand() *cobra.Command {
	options := disk.Options{Label: disk.DefaultLabel, Time: disk.DefaultTime}
	var out, origin string
	cmd := &cobra.Command{
		Use:     "efi-disk --out DISK [OPTION...] {PATH=FILE | PATH/}...",
		GroupID: groupPayload,
		Short:   "Make a disk that UEFI firmware starts from",
		Long: `Make the image of a disk that UEFI firmware starts from, as raw bytes. It has a GUID
partition table with one EFI system partition, which has a FAT file system: FAT32, or FAT16
if the partition has less than 33 MiB.

PATH is the path of FILE in this file system. Firmware that has no boot options starts
EFI/BOOT/BOOTX64.EFI, BOOTAA64.EFI or BOOTRISCV64.EFI, by its architecture. If FILE is a
directory, everything below it is copied. PATH/ is an empty directory.

The same files make the same disk. Free space is a hole of DISK, which takes no room.

After an error, the exit code is 1 and DISK is unchanged. Wrong usage exits with 2.`,
		Example: "packer efi-disk --out disk.img EFI/BOOT/BOOTX64.EFI=image.efi",
		RunE: func(cmd *cobra.Command, args []string) error {
			inputs := make([]usedFile, len(args))
			for i, arg := range args {
				_, name, _ := strings.Cut(arg, "=")
				inputs[i] = usedFile{arg, name}
			}
			err := cmp.Or(cli.Required(cmd, "out"), checkDiskArguments(cmd, args), checkOutputs(cmd, []usedFile{{"--out", out}}, inputs...))
			if err != nil {
				return err
			}
			err = writeDisk(cmd.Context(), out, args, options)
			if err != nil && origin != "" {
				err = prefixErrors(origin, err)
			}
			return err
		},
	}
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write the disk to `FILE`")
		flags.StringVar(&origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
		flags.Func("size", "Make a disk of `BYTES`, a multiple of 512 (default what the files need, and 1 MiB)", func(text string) (err error) {
			options.Size, err = strconv.ParseInt(text, 10, 64)
			if err != nil || options.Size <= 0 || options.Size%512 != 0 {
				return fmt.Errorf("%q: want a number of bytes that is a multiple of 512", text)
			}
			return nil
		})
		flags.StringVar(&options.Label, "label", options.Label, "Call the file system `LABEL`: at most 11 characters of A-Z, 0-9, - and _ (default "+options.Label+")")
		flags.Func("mtime", "Set the time of all files, in `SECONDS` since 1970 (default 315532800, which is 1980-01-01)", func(text string) (err error) {
			options.Time, err = strconv.ParseInt(text, 10, 64)
			if err != nil || options.Time < fat.FirstTime || options.Time > fat.LastTime {
				return fmt.Errorf("%q: want %d (1980-01-01) to %d (2107-12-31)", text, fat.FirstTime, int64(fat.LastTime))
			}
			return nil
		})
		addParsed(flags, &options.Disk, "disk-guid", guid.Parse, "Identify the disk by `GUID` (default one that depends on LABEL and each PATH)")
		addParsed(flags, &options.Partition, "partition-guid", guid.Parse, "Identify the partition by `GUID` (default one that depends on LABEL and each PATH)")
	})
	return cmd
}

// checkDiskArguments returns an error if an argument is neither PATH=FILE nor PATH/.
func checkDiskArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Usagef(cmd, "missing argument PATH=FILE")
	}
	for _, arg := range args {
		if to, name, ok := strings.Cut(arg, "="); ok && (to == "" || name == "") || !ok && !strings.HasSuffix(arg, "/") {
			return cli.Usagef(cmd, "%q: want PATH=FILE, or PATH/ for an empty directory", arg)
		}
	}
	return nil
}

func writeDisk(ctx context.Context, out string, args []string, options disk.Options) error {
	files, err := diskFiles(args)
	if err != nil {
		return err
	}
	image, err := disk.New(files, options)
	if err != nil {
		return err
	}
	return write.File(ctx, out, image.Write)
}

// diskFiles returns the files that arguments name.
func diskFiles(args []string) (files []fat.File, err error) {
	for _, arg := range args {
		to, name, ok := strings.Cut(arg, "=")
		if ok {
			files, err = appendDiskFiles(files, to, name)
		} else {
			files = append(files, fat.File{Path: strings.TrimSuffix(to, "/"), Directory: true})
		}
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// appendDiskFiles appends a file, or a directory with everything below it. Links are followed, because
// the files in directories of Bazel can be links.
func appendDiskFiles(files []fat.File, to, name string) ([]fat.File, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().IsRegular():
		open := func() (io.ReadCloser, error) { return os.Open(name) }
		return append(files, fat.File{Path: to, Size: info.Size(), Open: open}), nil
	case !info.IsDir():
		return nil, fmt.Errorf("%s: neither a regular file nor a directory", name)
	}
	to = strings.TrimSuffix(to, "/")
	entries, err := os.ReadDir(name)
	files = append(files, fat.File{Path: to, Directory: true})
	for _, entry := range entries {
		if err == nil {
			files, err = appendDiskFiles(files, to+"/"+entry.Name(), filepath.Join(name, entry.Name()))
		}
	}
	return files, err
}
