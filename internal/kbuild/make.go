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

	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Build is a folder in which kbuild builds, source and objects together: only then are the
// paths that it writes down relative.
type Build struct {
	// Dir is the folder, absolute.
	Dir string
	// Arch is what is built for, with Toolchain.
	Arch      arch.Arch
	Toolchain Toolchain
	// Jobs is how many commands run at once.
	Jobs int
	// Log gets what kbuild has printed, sorted, after each run.
	Log io.Writer
}

// MappedDir is what compilers write in place of the build folder's path.
const MappedDir = "/usr/src/linux"

// environment is all of the environment that kbuild sees. The time, user, host and number of
// the build are parts of the kernel (init/Makefile).
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

// tmpDir is a folder in the build's for what programs leave.
const tmpDir = ".tmp_programs"

// Make runs make with these arguments, and with what every run has in common. An error has
// what the step that failed has printed.
func (b *Build) Make(ctx context.Context, args ...string) error {
	if err := os.MkdirAll(filepath.Join(b.Dir, tmpDir), 0o755); err != nil {
		return err
	}
	program, err := b.Toolchain.LookPath("make")
	if err != nil {
		return err
	}
	common := []string{
		// Spares kbuild a run of make by itself, which would not hand on --old-file.
		"--no-print-directory",
		// A step's line comes before what its command says.
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
	// make ends what it has started, given the time.
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
		printed.add(strings.ReplaceAll(line, b.Dir+"/", "")) // some steps print absolute paths
	})
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fault := printed.fault()
		return fmt.Errorf("kbuild failed (make %s: %w):\n%s%s", strings.Join(args, " "), err, excerpt(fault), hint(fault))
	}
	if readErr != nil {
		return readErr
	}
	return printed.writeTo(b.Log, "make "+strings.Join(args, " "))
}

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

// maxExcerpt is how many lines of kbuild's an error has.
const maxExcerpt = 30

// excerpt returns the first and the last lines of a text, indented.
func excerpt(text string) string {
	if text == "" {
		return ""
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if left := len(lines) - maxExcerpt; left > 0 {
		gap := fmt.Sprintf("[%d lines]\n", left)
		lines = slices.Replace(lines, maxExcerpt/2, maxExcerpt/2+left, gap)
	}
	return "  " + strings.Join(lines, "  ") + "\n"
}

// hints are what to do where one of kbuild's lines has a text.
var hints = []struct{ text, advice string }{
	{"libelf.h: No such file", "The header libelf.h is not there: install libelf-dev (elfutils-libelf-devel)."},
	{"gelf.h: No such file", "The header gelf.h is not there: install libelf-dev (elfutils-libelf-devel)."},
	{"openssl/", "A header of OpenSSL is not there: install libssl-dev, or turn off what signs modules and checks certificates."},
	{"pahole", "There is no pahole, which CONFIG_DEBUG_INFO_BTF needs: install it (dwarves), or turn that option off."},
	{"kernel image bigger than KERNEL_IMAGE_SIZE", "The kernel has no room for the archive: give it to the boot loader beside the kernel."},
	{"relocation truncated to fit", "The kernel has no room for the archive: give it to the boot loader beside the kernel."},
	{"No space left on device", "The disk of the build folder is full: a compile takes 3 GB and more."},
	{"gmp.h: No such file", "The header gmp.h is not there, which CONFIG_GCC_PLUGINS needs: install libgmp-dev, libmpc-dev and libmpfr-dev, or turn that option off."},
}

func hint(fault string) string {
	for _, h := range hints {
		if strings.Contains(fault, h.text) {
			return h.advice
		}
	}
	return "An error of the compiler's is one of the source's, of a patch's or of a configuration that does not build."
}
