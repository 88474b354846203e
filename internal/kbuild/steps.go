package kbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
)

// ConfigFile is the path of the configuration in a build folder.
const ConfigFile = ".config"

// Archive is the path of the archive to link in, in a build folder. usr/Makefile copies what
// has .cpio. in its name as it is.
const Archive = "usr/initramfs.cpio.linked"

func (b *Build) path(name string) string { return filepath.Join(b.Dir, name) }

// Configure writes the configuration: a defconfig by its name, such as tinyconfig, or the
// content of a file; with the fragments' values in place of its own.
func (b *Build) Configure(ctx context.Context, defconfig, file string, fragments []config.Assignment) error {
	if file != "" {
		if err := copyFile(b.path(ConfigFile), file); err != nil {
			return err
		}
	} else if err := b.checkDefconfig(defconfig); err != nil {
		return err
	} else if err := b.Make(ctx, defconfig); err != nil {
		return err
	}
	return b.Change(ctx, fragments)
}

// builtinConfigs are the targets of scripts/kconfig/Makefile that make a configuration by
// themselves and the same each time.
var builtinConfigs = []string{"defconfig", "tinyconfig", "allnoconfig", "allyesconfig", "allmodconfig", "alldefconfig"}

func (b *Build) checkDefconfig(name string) error {
	for _, builtin := range builtinConfigs {
		if name == builtin {
			return nil
		}
	}
	if strings.HasSuffix(name, "_defconfig") && !strings.ContainsAny(name, "/ ") {
		if _, err := os.Stat(b.path("arch/" + b.Arch.SrcArch + "/configs/" + name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("config: this kernel has no %s for %s: want %s, one of arch/%s/configs, or a file",
		name, b.Arch.Name, strings.Join(builtinConfigs, ", "), b.Arch.SrcArch)
}

// Change puts values into the configuration and has kbuild make the rest agree.
func (b *Build) Change(ctx context.Context, changes []config.Assignment) error {
	if err := config.Merge(b.path(ConfigFile), changes); err != nil {
		return err
	}
	return b.Make(ctx, "olddefconfig")
}

// Values reads the configuration.
func (b *Build) Values() (config.Values, error) {
	return config.ReadValues(b.path(ConfigFile))
}

// Compile builds the image and, if the configuration has any, the modules.
func (b *Build) Compile(ctx context.Context, modules bool) error {
	targets := []string{b.Arch.Target}
	if modules {
		targets = append(targets, "modules")
	}
	return b.Make(ctx, targets...)
}

// InstallModules puts the modules into a folder, as below the root of a file system. depmod
// is not run: it is the image's to say which of them it has.
func (b *Build) InstallModules(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := b.Make(ctx, "modules_install", "INSTALL_MOD_PATH="+dir, "DEPMOD=true"); err != nil {
		return err
	}
	release, err := b.Release()
	if err != nil {
		return err
	}
	// A link to the build folder.
	for _, link := range []string{"build", "source"} {
		if err := os.Remove(filepath.Join(dir, "lib/modules", release, link)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Release is what uname -r says under the kernel.
func (b *Build) Release() (string, error) {
	text, err := os.ReadFile(b.path("include/config/kernel.release"))
	return string(bytes.TrimSpace(text)), err
}

// PrepareLink brings the folder to the state in which only the archive is left to change: an
// empty one is linked in, by the name that Link's has.
func (b *Build) PrepareLink(ctx context.Context) error {
	if err := os.WriteFile(b.path(Archive), nil, 0o644); err != nil {
		return err
	}
	source := config.Assignment{Symbol: config.InitramfsSource, Value: `"` + Archive + `"`}
	if err := b.Change(ctx, []config.Assignment{source}); err != nil {
		return err
	}
	return b.Make(ctx, "usr/")
}

// Link builds the image with the archive in the named file linked in.
func (b *Build) Link(ctx context.Context, archive string) error {
	if err := copyFile(b.path(Archive), archive); err != nil {
		return err
	}
	var args []string
	for _, tool := range Tools {
		args = append(args, "--old-file="+tool)
	}
	return b.Make(ctx, append(args, b.Arch.Target)...)
}

// Tools are the folders of programs that a compile makes for itself and a link uses as they
// are: make need not look whether they are up to date.
var Tools = []string{"tools/objtool", "tools/bpf/resolve_btfids"}

// CopyTo copies a file of the build folder.
func (b *Build) CopyTo(name, from string) error { return copyFile(name, b.path(from)) }

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
