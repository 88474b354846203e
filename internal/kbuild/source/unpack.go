// Package source unpacks and patches the source of a kernel.
package source

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/untar"
)

// Tree is an unpacked source.
type Tree struct {
	// Dir is the directory that holds it.
	Dir string
	// Files are the paths of the tarball's entries below Dir, without directories.
	Files map[string]bool
}

// Unpack unpacks a tarball, which may be compressed with xz, zstd, gzip or bzip2, to the empty
// directory dir. It strips the top directory of the tarball, such as linux-6.12/. If lookPath
// finds the program xz, that is used in place of the slower library.
//
// Nothing is written outside of dir.
func Unpack(ctx context.Context, name, dir string, lookPath func(string) (string, error)) (*Tree, error) {
	return UnpackPart(ctx, name, dir, lookPath, func(string) bool { return true })
}

// UnpackPart is Unpack for those files only whose paths below dir keep accepts.
func UnpackPart(ctx context.Context, name, dir string, lookPath func(string) (string, error), keep func(name string) bool) (*Tree, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, done, err := decompress(ctx, bufio.NewReaderSize(file, 1<<20), lookPath)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	tree, err := extract(ctx, content, dir, keep)
	// If the decompressor failed, that is why the extraction failed.
	if doneErr := done(); doneErr != nil {
		err = doneErr
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return tree, nil
}

// decompress returns the decompressed content of r, and a function that ends the decompressor
// and returns its error.
func decompress(ctx context.Context, r *bufio.Reader, lookPath func(string) (string, error)) (content io.Reader, done func() error, err error) {
	if prefix, _ := r.Peek(8); codec.DetectFile(prefix) == "xz" {
		if program, err := lookPath("xz"); err == nil {
			return runXZ(ctx, program, r)
		}
	}
	z, err := codec.NewFileReader(r)
	switch {
	case err == codec.ErrNotCompressed:
		return r, func() error { return nil }, nil
	case err != nil:
		return nil, nil, err
	}
	return z, z.Close, nil
}

// runXZ decompresses with the program xz, which takes a sixth of the time of the library.
func runXZ(ctx context.Context, program string, r io.Reader) (io.Reader, func() error, error) {
	ctx, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, program, "--decompress", "--stdout", "--threads=0")
	cmd.Stdin = r
	cmd.Env = []string{}
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.StdoutPipe()
	if err != nil {
		stop()
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		stop()
		return nil, nil, err
	}
	ended := false
	content := readerFunc(func(p []byte) (int, error) {
		n, err := out.Read(p)
		ended = ended || err == io.EOF
		return n, err
	})
	return bufio.NewReaderSize(content, 1<<20), func() error {
		// A reader that stopped before the end has its own error.
		if !ended {
			stop()
		}
		err := cmd.Wait()
		stop()
		if err != nil && ended {
			return fmt.Errorf("xz: %w: %s", err, strings.TrimSpace(messages.String()))
		}
		return nil
	}, nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// ErrNotTar reports a file that is not a tarball.
var ErrNotTar = errors.New("not a tarball that is uncompressed or compressed with xz, zstd, gzip or bzip2")

// extract extracts those files of the tarball that r reads to dir which keep accepts.
func extract(ctx context.Context, r io.Reader, dir string, keep func(name string) bool) (*Tree, error) {
	tree := &Tree{Dir: dir, Files: map[string]bool{}}
	top := ""
	check := func(h *tar.Header) (err error) {
		if top == "" {
			top, _, _ = strings.Cut(cleanName(h.Name), "/")
		}
		if h.Name, err = below(top, h.Name); err != nil || h.Typeflag == tar.TypeDir {
			return err
		}
		if h.Name == "." {
			return ErrNotTar
		}
		if !keep(h.Name) {
			return untar.ErrSkip
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname, err = below(top, h.Linkname)
		}
		tree.Files[h.Name] = true
		return err
	}
	err := untar.Extract(ctx, untar.NewReader(r), dir, untar.Options{Check: check})
	switch {
	case top == "" && err == nil:
		return nil, ErrNotTar
	case top == "" && ctx.Err() == nil:
		return nil, fmt.Errorf("%w (%v)", ErrNotTar, err)
	case err != nil:
		return nil, err
	}
	// The decompressor verifies its checksum at the end of its input.
	_, err = io.Copy(io.Discard, r)
	return tree, err
}

func cleanName(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// below returns a name of the tarball without its top directory; "." for that directory.
func below(top, name string) (string, error) {
	first, rest, _ := strings.Cut(cleanName(name), "/")
	switch {
	case first != top:
		return "", fmt.Errorf("not below %s/ as the entries before it: a kernel's tarball has one top directory", printable.Text(top))
	case rest == "":
		return ".", nil
	}
	return rest, nil
}
