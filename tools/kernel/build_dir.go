package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/source"
)

// unpackSource unpacks a kernel's source to the build directory, and applies patches. If keep is
// not nil, it unpacks only the files that keep accepts.
func unpackSource(ctx context.Context, build *kbuild.Build, tarball string, patches []string, keep func(name string) bool) (*source.Tree, error) {
	if keep == nil {
		keep = func(string) bool { return true }
	}
	tree, err := source.UnpackPart(ctx, tarball, build.Dir, build.Toolchain.LookPath, keep)
	if err != nil {
		return nil, err
	}
	if err := tree.Check(build.Arch.SrcArch); err != nil {
		return nil, fmt.Errorf("%s: %w", tarball, err)
	}
	for _, patch := range patches {
		if err := tree.Patch(ctx, patch, build.Toolchain.LookPath); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// saveSnapshot saves files of the build directory, and returns the size of the snapshot in bytes. It
// leaves no file after an error.
func saveSnapshot(name string, kind snapshot.Kind, build *kbuild.Build, names []string) (size int64, err error) {
	file, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			os.Remove(name)
		}
	}()
	out := bufio.NewWriterSize(file, 1<<20)
	if err := errors.Join(snapshot.Pack(out, kind, build.Dir, build.Arch.Name, names), out.Flush()); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// unpackSnapshot unpacks a snapshot to the build directory.
func unpackSnapshot(ctx context.Context, name string, kind snapshot.Kind, build *kbuild.Build) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := snapshot.Unpack(ctx, file, kind, build.Dir, build.Arch.Name); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
