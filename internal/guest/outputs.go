package guest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/untar"
)

// Pack writes the files in dir, which is laid out like Outputs, as a compressed archive. It
// returns what it omits, and why.
//
// A symbolic link that stays within the undeclared outputs remains one. Any other link would
// lead to a file of the host. In its place the archive has the file that it leads to in the
// guest, as in the archive that Bazel makes of outputs.
func Pack(w io.Writer, dir string) (omitted []string, err error) {
	undeclared := filepath.Join(dir, Undeclared)
	if err := os.MkdirAll(undeclared, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(undeclared)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	z := gzip.NewWriter(w)
	p := &packer{dir: dir, undeclared: undeclared, root: root, archive: tar.NewWriter(z)}
	// Not fs.WalkDir: an fs.FS has no names that are not UTF-8.
	err = filepath.WalkDir(dir, p.add)
	if more := p.count - len(p.omitted); more > 0 {
		p.omitted = append(p.omitted, fmt.Sprintf("and %d more", more))
	}
	return p.omitted, errors.Join(err, p.archive.Close(), z.Close())
}

type packer struct {
	dir, undeclared string
	root            *os.Root // of undeclared
	archive         *tar.Writer
	omitted         []string
	count           int // of what is omitted
}

// maxOmitted is how many of the omitted files are named.
const maxOmitted = 20

func (p *packer) omit(name, why string) error {
	if p.count++; p.count <= maxOmitted {
		p.omitted = append(p.omitted, printable.Text(name+": "+why))
	}
	return nil
}

func (p *packer) add(path string, entry fs.DirEntry, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // a process that outlives the test has removed it
	case err != nil:
		return err
	case path == p.dir:
		return nil
	}
	name := strings.TrimPrefix(path, p.dir+"/")
	switch entry.Type() {
	case fs.ModeDir:
		return p.archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755})
	case fs.ModeSymlink:
		return p.addLink(path, name)
	case 0:
		return p.addFile(path, name)
	}
	return p.omit(name, "not a file, a directory or a link")
}

func (p *packer) addLink(path, name string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return p.omit(name, err.Error())
	}
	if strings.HasPrefix(target, p.undeclared+"/") {
		if target, err = filepath.Rel(filepath.Dir(path), target); err != nil {
			return p.omit(name, err.Error())
		}
	}
	if below, ok := strings.CutPrefix(path, p.undeclared+"/"); ok && stays(p.root, filepath.Dir(below), target) {
		return p.archive.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target})
	}
	// Opening anything but a file could block.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return p.omit(name, fmt.Sprintf("a link to %s, which is not a file and is outside of the outputs", target))
	}
	return p.addFile(path, name)
}

// stays reports whether a link in dir with this target does not lead out of root.
func stays(root *os.Root, dir, target string) bool {
	if target == "" || filepath.IsAbs(target) {
		return false
	}
	// Not Join, which would resolve .. without regard to links.
	_, err := root.Stat(dir + "/" + target)
	return err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR)
}

func (p *packer) addFile(path, name string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size()}
	if err := p.archive.WriteHeader(h); err != nil {
		return err
	}
	// A process that outlives the test may still write to the file: send the size that it
	// has now.
	_, err = io.CopyN(p.archive, io.MultiReader(file, zeros{}), info.Size())
	return err
}

// zeros is an endless file of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// ErrTooLarge reports files that are larger than the limit.
var ErrTooLarge = errors.New("the test's outputs are too large")

// entrySize is what an entry counts for, in bytes, beyond its content: a guest must not send
// endless empty files.
const entrySize = 1 << 10

// Unpack extracts an archive of Pack to dir. It writes at most limit bytes, and nothing
// outside of dir.
func Unpack(r io.Reader, dir string, limit int64) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	left := limit
	return untar.Extract(context.Background(), untar.NewReader(z), dir, untar.Options{
		Check: func(h *tar.Header) error {
			if h.Typeflag != tar.TypeDir && h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeSymlink {
				return errors.New("not a directory, a file or a symbolic link")
			}
			if left -= entrySize + h.Size; left < 0 {
				return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
			}
			return nil
		},
	})
}

// Deliver copies the files in dir, which Unpack has extracted, to where Bazel looks for
// them. Variables such as XML_OUTPUT_FILE, which getenv returns, say where that is. Files of
// the boot that are there already make room: see makeRoom. It returns what it omits, and why.
func Deliver(dir string, getenv func(string) string) (omitted []string, err error) {
	from, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	var errs []error
	for name, variable := range map[string]string{XML: "XML_OUTPUT_FILE", Sharded: "TEST_SHARD_STATUS_FILE"} {
		if to := getenv(variable); to != "" {
			content, err := from.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // the test did not write it
			}
			if err == nil {
				err = os.WriteFile(to, content, 0o644)
			}
			errs = append(errs, err)
		}
	}
	if to := getenv("TEST_UNDECLARED_OUTPUTS_DIR"); to != "" {
		omitted, err = deliverTree(filepath.Join(dir, Undeclared), to)
		errs = append(errs, err)
	}
	return omitted, errors.Join(errs...)
}

// deliverTree copies the files in a directory to another one. It does not copy links that lead out
// of the directory.
func deliverTree(dir, to string) (omitted []string, err error) {
	from, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer from.Close()
	if err := errors.Join(os.MkdirAll(to, 0o755), makeRoom(dir, to)); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		if entry.Type() != fs.ModeSymlink {
			return deliver(path, filepath.Join(to, name), entry)
		}
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		if !stays(from, filepath.Dir(name), target) {
			omitted = append(omitted, name+": a link that leads out of the outputs")
			return nil
		}
		return os.Symlink(target, filepath.Join(to, name))
	})
	return omitted, err
}

// deliver copies a directory, without what is in it, or a file.
func deliver(path, to string, entry fs.DirEntry) error {
	if entry.IsDir() {
		return os.Mkdir(to, 0o755)
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// makeRoom renames files in directory to that have the name of an output of the test: the
// boot's console.log becomes boot-console.log.
func makeRoom(dir, to string) error {
	outputs, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	exists := func(name string) bool {
		_, err := os.Lstat(name)
		return err == nil
	}
	for _, output := range outputs {
		old := filepath.Join(to, output.Name())
		if !exists(old) {
			continue
		}
		free := "boot-" + output.Name()
		for exists(filepath.Join(to, free)) || exists(filepath.Join(dir, free)) {
			free = "boot-" + free
		}
		if err := os.Rename(old, filepath.Join(to, free)); err != nil {
			return err
		}
	}
	return nil
}
