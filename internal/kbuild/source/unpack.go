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
)

// Tree is an unpacked source.
type Tree struct {
	// Dir is the folder that it is in.
	Dir string
	// Files are the paths of what came from the tarball, below Dir, directories
	// not among them.
	Files map[string]bool
}

// Unpack unpacks a tarball, which may be compressed, to the empty directory
// dir. It strips the top directory of the tarball, such as linux-6.12/. If lookPath finds the
// program xz, that is used in place of the slower library.
//
// Nothing is written outside of dir.
func Unpack(ctx context.Context, name, dir string, lookPath func(string) (string, error)) (*Tree, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, done, err := decompress(ctx, bufio.NewReaderSize(file, 1<<20), lookPath)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	tree, err := untar(ctx, content, dir)
	// What decompresses has failed before what reads from it.
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

// runXZ decompresses with the xz program, in a sixth of the time that the library takes.
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
		// Whoever stopped reading before the end knows why.
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

// ErrNotTar reports a file that is no tarball.
var ErrNotTar = errors.New("not a tarball, compressed with xz, zstd, gzip, bzip2 or not at all")

func untar(ctx context.Context, r io.Reader, dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	u := &unpacker{
		root:   root,
		tree:   &Tree{Dir: dir, Files: map[string]bool{}},
		made:   map[string]bool{".": true},
		buffer: make([]byte, 64<<10),
	}
	defer u.leave()
	archive := tar.NewReader(r)
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := archive.Next()
		switch {
		case err == io.EOF && !first:
			// To its end, for what decompresses has a checksum there.
			if _, err := io.Copy(io.Discard, r); err != nil {
				return nil, err
			}
			return u.tree, nil
		case err != nil && first && ctx.Err() == nil:
			return nil, fmt.Errorf("%w (%v)", ErrNotTar, err)
		case err != nil:
			return nil, err
		}
		if err := u.add(h, archive); err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// unpacker makes files of what a tarball holds.
type unpacker struct {
	root *os.Root
	tree *Tree
	top  string          // the directory that all is in
	made map[string]bool // directories

	// The directory that the last file was put in: most files come after one of theirs.
	dir     *os.Root
	dirName string

	buffer []byte
}

// enter opens the directory with this name, unless it is the one that is open.
func (u *unpacker) enter(name string) (*os.Root, error) {
	if u.dir != nil && u.dirName == name {
		return u.dir, nil
	}
	if err := u.leave(); err != nil {
		return nil, err
	}
	var err error
	u.dir, err = u.root.OpenRoot(name)
	u.dirName = name
	return u.dir, err
}

// leave closes the directory that is open.
func (u *unpacker) leave() error {
	if u.dir == nil {
		return nil
	}
	dir := u.dir
	u.dir = nil
	return dir.Close()
}

// below returns a name of the tarball without the directory that all is in; "." for that one.
func (u *unpacker) below(name string) (string, error) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	top, rest, _ := strings.Cut(name, "/")
	if u.top == "" {
		u.top = top
	}
	switch {
	case top != u.top:
		return "", fmt.Errorf("not below %s/, as what comes before it: a kernel's tarball has all in one folder", u.top)
	case rest == "":
		return ".", nil
	}
	return rest, nil
}

func (u *unpacker) add(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil // git archive writes the commit there
	}
	name, err := u.below(h.Name)
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		return u.makeDir(name)
	}
	if name == "." {
		return ErrNotTar
	}
	if err := u.makeDir(path.Dir(name)); err != nil {
		return err
	}
	u.tree.Files[name] = true
	switch h.Typeflag {
	case tar.TypeReg:
		return u.addFile(name, h, content)
	case tar.TypeSymlink:
		return u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		target, err := u.below(h.Linkname)
		if err != nil {
			return err
		}
		return u.root.Link(target, name)
	}
	return fmt.Errorf("type %q has no place in a kernel's source", h.Typeflag)
}

func (u *unpacker) makeDir(name string) error {
	if u.made[name] {
		return nil
	}
	u.made[name] = true
	return u.root.MkdirAll(name, 0o755)
}

func (u *unpacker) addFile(name string, h *tar.Header, content io.Reader) error {
	mode := os.FileMode(0o644)
	if h.Mode&0o111 != 0 {
		mode = 0o755
	}
	dir, err := u.enter(path.Dir(name))
	if err != nil {
		return err
	}
	file, err := dir.OpenFile(path.Base(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	// Not ReadFrom, which has a buffer for each file.
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, content, u.buffer)
	return errors.Join(err, file.Close())
}
