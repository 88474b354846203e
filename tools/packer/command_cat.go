package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
)

const catHelp = `Usage: packer cat IMAGE PATH...

Prints the content of files of an image, in the order of the PATHs, as a kernel
would have them that has unpacked it: of several entries of a name the last one
counts, entries that it drops are not there, and a hard link has the content of
its file, wherever in the image that is. Symbolic links are followed within the
image. IMAGE is read once for the names and once for each PATH: it cannot be a pipe.

If a PATH is missing or no regular file, nothing is printed, and the exit code is
1; wrong usage exits with 2.
`

func runCat(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packer cat", flag.ContinueOnError)
	if err := cli.ParseFlags(flags, catHelp, args); err != nil {
		return err
	}
	if flags.NArg() < 2 {
		return cli.UsageFault(flags, "want IMAGE PATH...")
	}
	name := flags.Arg(0)
	if info, err := os.Stat(name); name == "-" || err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("cat reads an image several times: %s is not a regular file", name)
	}
	model, _, err := readModel(ctx, name, false)
	if err != nil {
		return err
	}
	var bodies []int
	var faults []error
	for _, p := range flags.Args()[1:] {
		body, err := findBody(model, p)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
		bodies = append(bodies, body)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	for _, body := range bodies {
		if err := copyBody(ctx, os.Stdout, name, body); err != nil {
			return err
		}
	}
	return nil
}

// findBody returns the index of the entry that has the content of a file.
func findBody(model *kernel.Model, name string) (int, error) {
	file, at, err := model.Lookup(name)
	if err != nil {
		if at != kernel.CleanPath(name) {
			return 0, fmt.Errorf("%s: %w: it leads to %s", listing.Printable(name), err, listing.Printable(at))
		}
		return 0, fmt.Errorf("%s: %w", listing.Printable(name), err)
	}
	switch file.Type() {
	case cpio.TypeRegular:
		return file.Body, nil
	case cpio.TypeDir:
		return 0, fmt.Errorf("%s is a directory", listing.Printable(name))
	}
	return 0, fmt.Errorf("%s has no content: it is a %s", listing.Printable(name), typeNames[file.Type()])
}

// typeNames are for people.
var typeNames = map[uint32]string{
	cpio.TypeRegular: "file", cpio.TypeDir: "directory", cpio.TypeSymlink: "symbolic link",
	cpio.TypeChar: "character device", cpio.TypeBlock: "block device",
	cpio.TypePipe: "pipe", cpio.TypeSocket: "socket",
}

// copyBody copies the content of the entry with this index.
func copyBody(ctx context.Context, w io.Writer, name string, index int) error {
	img, err := image.Open(ctx, name)
	if err != nil {
		return err
	}
	defer img.Close()
	for {
		e, err := img.Next()
		if err == nil && e.Index == index {
			_, err = io.Copy(w, img)
			if err == nil {
				return nil
			}
		}
		if err == io.EOF {
			err = errors.New("it has changed while it was read")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

// readModel reads the image in a file, and closes it.
func readModel(ctx context.Context, name string, digests bool) (*kernel.Model, *image.Image, error) {
	img, err := image.Open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer img.Close()
	model, err := kernel.ReadModel(img.Reader, digests, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	warnCut(img)
	return model, img, nil
}
