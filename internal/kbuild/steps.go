package kbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
)

// ConfigFile is the path of the configuration in a build directory.
const ConfigFile = ".config"

// Archive is the path of the archive to link in, in a build directory. usr/Makefile copies a
// file with .cpio. in its name unchanged.
const Archive = "usr/initramfs.cpio.linked"

func (b *Build) path(name string) string { return filepath.Join(b.Dir, name) }

// Configure writes the configuration: a defconfig by its name, such as tinyconfig, or the
// content of a file. Values of the fragments replace its own.
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

// builtinConfigs are the targets of scripts/kconfig/Makefile that make a configuration without
// input, and the same one each time.
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
	return fmt.Errorf("config: this kernel has no %s for %s: use %s, one of arch/%s/configs, or a file",
		name, b.Arch.Name, strings.Join(builtinConfigs, ", "), b.Arch.SrcArch)
}

// Change changes values of the configuration and has kbuild resolve the dependencies.
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

// InstallModules installs the modules below dir, as below the root of a file system. It does
// not run depmod, because an image may hold only some of the modules.
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
	// These are symbolic links to the build directory.
	for _, link := range []string{"build", "source"} {
		if err := os.Remove(filepath.Join(dir, "lib/modules", release, link)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// headersSource matches the files of a kernel's source that InstallHeaders reads.
var headersSource = regexp.MustCompile(`^(scripts|include/(uapi|asm-generic)|arch/[^/]+/(include|tools|kernel/syscalls|entry/syscalls))/|(^|/)(Makefile|Kconfig|Kbuild)[^/]*$`)

// IsHeadersSource reports whether InstallHeaders may read a file of the kernel's source.
func IsHeadersSource(name string) bool { return headersSource.MatchString(name) }

// InstallHeaders installs the headers for programs below dir/include. kbuild's own headers_install
// copies them with rsync, which few machines have that compile kernels.
func (b *Build) InstallHeaders(ctx context.Context, dir string) error {
	if err := b.Make(ctx, "headers"); err != nil {
		return err
	}
	const made = "usr/include"
	return fs.WalkDir(os.DirFS(b.path(made)), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".h" {
			return err
		}
		to := filepath.Join(dir, "include", name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return b.CopyTo(to, path.Join(made, name))
	})
}

// Release returns what uname -r prints on the kernel.
func (b *Build) Release() (string, error) {
	text, err := os.ReadFile(b.path("include/config/kernel.release"))
	return string(bytes.TrimSpace(text)), err
}

// PrepareLink links an empty archive in, at the path that Link uses. Then only the archive has
// to change for another link.
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

// Tools are the directories of programs that a compile builds for itself. A link uses them as
// they are: make need not check whether they are up to date.
var Tools = []string{"tools/objtool", "tools/bpf/resolve_btfids"}

// CopyTo copies a file of the build directory.
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
