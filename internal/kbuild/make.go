// Package kbuild runs the kernel's own build.
package kbuild

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Build is a directory in which kbuild builds. It holds both the source and the objects,
// because only then kbuild records relative paths.
type Build struct {
	// Dir is the absolute path of the directory.
	Dir string
	// Arch is the architecture to build for, with Toolchain.
	Arch      arch.Arch
	Toolchain Toolchain
	// Jobs is the number of commands that run at once.
	Jobs int
	// Log gets the sorted output of kbuild after each run.
	Log io.Writer
}

// MappedDir is the path that compilers record in place of that of the build directory.
const MappedDir = "/usr/src/linux"

// environment returns the whole environment of kbuild. The time, user, host and number of the
// build become part of the kernel (init/Makefile).
func (b *Build) environment() []string {
	return []string{
		"PATH=" + b.Toolchain.Path,
		"LC_ALL=C",
		"TZ=UTC",
		"SOURCE_DATE_EPOCH=0",
		"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970",
		"KBUILD_BUILD_USER=bazel",
		"KBUILD_BUILD_HOST=bazel",
		"KBUILD_BUILD_VERSION=1",
		"TMPDIR=" + filepath.Join(b.Dir, tmpDir),
	}
}

// tmpDir is the directory for temporary files, below the build directory.
const tmpDir = ".tmp_programs"

// Make runs make with these arguments, after those that all runs have in common. Its error
// includes the output of the step that failed.
func (b *Build) Make(ctx context.Context, args ...string) error {
	if err := os.MkdirAll(filepath.Join(b.Dir, tmpDir), 0o755); err != nil {
		return err
	}
	program, err := b.Toolchain.LookPath("make")
	if err != nil {
		return err
	}
	common := []string{
		// Without it, kbuild runs make once more, and does not pass --old-file on.
		"--no-print-directory",
		// The line of a step comes before the output of its command.
		"--output-sync=target",
		"--jobs=" + strconv.Itoa(max(b.Jobs, 1)),
		"ARCH=" + b.Arch.Make,
		"CROSS_COMPILE=" + b.Toolchain.Cross,
		"KCPPFLAGS=-ffile-prefix-map=" + b.Dir + "=" + MappedDir,
		"HOSTCFLAGS=-ffile-prefix-map=" + b.Dir + "=" + MappedDir,
	}
	cmd := exec.CommandContext(ctx, program, append(common, args...)...)
	cmd.Dir = b.Dir
	cmd.Env = b.environment()
	// make needs time to end the commands that it has started.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	var printed report
	readErr := readLines(out, func(line string) {
		printed.add(b.shorten(line)) // some steps print absolute paths
	})
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return printable.Block(&Failure{Command: "make " + b.shorten(strings.Join(args, " ")), Err: err, Output: printed.failedStep()})
	}
	if readErr != nil {
		return readErr
	}
	return printed.writeTo(b.Log, "make "+b.shorten(strings.Join(args, " ")))
}

// Failure is a run of make that failed.
type Failure struct {
	// Command is make with the arguments after those that all runs have in common.
	Command string
	// Err is what exec.Cmd.Wait returned.
	Err error
	// Output is what the step that failed has printed.
	Output string
}

// Error returns the output and what to do.
func (f *Failure) Error() string {
	return fmt.Sprintf("kbuild failed (%s: %v):\n%s%s", f.Command, f.Err, Excerpt(f.Output), hint(f.Output))
}

// Unwrap returns f.Err.
func (f *Failure) Unwrap() error { return f.Err }

// shorten returns a text with paths relative to the build directory.
func (b *Build) shorten(text string) string { return strings.ReplaceAll(text, b.Dir+"/", "") }

// readLines calls add for each line, without its end.
func readLines(r io.Reader, add func(line string)) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			add(strings.TrimRight(line, "\n"))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxExcerpt is the number of lines of kbuild's output in an error.
const maxExcerpt = 30

// Excerpt returns the first and the last lines of a text, indented.
func Excerpt(text string) string {
	if text == "" {
		return ""
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if left := len(lines) - maxExcerpt; left > 0 {
		gap := fmt.Sprintf("[%d lines left out]\n", left)
		lines = slices.Replace(lines, maxExcerpt/2, maxExcerpt/2+left, gap)
	}
	return "  " + strings.Join(lines, "  ") + "\n"
}

// hints are what to do if the output of kbuild contains a text.
var hints = []struct{ text, advice string }{
	{"libelf.h: No such file", "The header libelf.h is missing: install libelf-dev (elfutils-libelf-devel)."},
	{"gelf.h: No such file", "The header gelf.h is missing: install libelf-dev (elfutils-libelf-devel)."},
	{"openssl/", "A header of OpenSSL is missing: install libssl-dev, or turn off the options that sign modules and check certificates."},
	{"pahole", "CONFIG_DEBUG_INFO_BTF needs pahole: install it (dwarves), or turn that option off."},
	{"kernel image bigger than KERNEL_IMAGE_SIZE", "The archive is too large to be linked into the kernel: have the boot loader load it beside the kernel."},
	{"relocation truncated to fit", "The archive is too large to be linked into the kernel: have the boot loader load it beside the kernel."},
	{"No space left on device", "The disk of the build directory is full: a compile takes at least 3 GB."},
	{"gmp.h: No such file", "CONFIG_GCC_PLUGINS needs the header gmp.h: install libgmp-dev, libmpc-dev and libmpfr-dev, or turn that option off."},
}

func hint(output string) string {
	for _, h := range hints {
		if strings.Contains(output, h.text) {
			return h.advice
		}
	}
	return "If the compiler reports an error, the source, a patch or the configuration is the cause."
}
