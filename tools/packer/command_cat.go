package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/payload"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

func catCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "cat IMAGE PATH...",
		GroupID: groupRead,
		Short:   "Print files of an image",
		Long: `Print the content of files of an image, in the order of the PATHs. A PATH is looked up in
the files that exist after a kernel has unpacked the image: the last entry of a name wins,
entries that the kernel drops do not exist, and a hard link has the content of its file.
Symbolic links are followed within the image. IMAGE is read several times, so it cannot be
a pipe.

If a PATH does not exist or is not a regular file, nothing is printed and the exit code is
1. Wrong usage exits with 2.`,
		Example: "packer cat initramfs /etc/os-release",
		Args:    cli.Args("IMAGE", "PATH..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cat(cmd.Context(), args[0], args[1:])
		},
	}
}

// cat prints the content of files, or nothing if one of them has none.
func cat(ctx context.Context, name string, paths []string) error {
	if info, err := os.Stat(name); name == "-" || err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file: cat reads an image several times", name)
	}
	model, _, err := readModel(ctx, name, false)
	if err != nil {
		return err
	}
	var bodies []int
	var errs []error
	for _, p := range paths {
		body, err := findBody(model, p)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		bodies = append(bodies, body)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, body := range bodies {
		if err := copyBody(ctx, os.Stdout, name, body); err != nil {
			return err
		}
	}
	return nil
}

// findBody returns the index of the entry that holds the content of a file.
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
	return 0, fmt.Errorf("%s has no content: it is a %s", listing.Printable(name), kind.TypeOf(file.Type()).Name)
}

// copyBody copies the content of the entry with this index.
func copyBody(ctx context.Context, w io.Writer, name string, index int) error {
	img, err := payload.Open(ctx, name)
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
			err = errors.New("the file changed while it was read")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

// readModel reads the image in a file, and closes it.
func readModel(ctx context.Context, name string, digests bool) (*kernel.Model, *image.Image, error) {
	img, err := payload.Open(ctx, name)
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

// warnCut warns about an image that may be truncated between two records. It is not an
// error, because the kernel unpacks what is there.
func warnCut(img *image.Image) {
	if !img.Trailer() {
		warn(img.Name + ": no trailer at the end: the image may be truncated, which the kernel does not notice")
	}
}
