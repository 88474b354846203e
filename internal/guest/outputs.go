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

	"github.com/rules-initramfs/rules_initramfs/internal/untar"
)

// Pack writes the directories and regular files in dir as a compressed archive. It
// returns the names of all other files, such as links and devices, which it leaves out:
// they mean nothing on another machine.
func Pack(w io.Writer, dir string) (skipped []string, err error) {
	z := gzip.NewWriter(w)
	archive := tar.NewWriter(z)
	root := os.DirFS(dir)
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case entry.IsDir():
			return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755})
		case !entry.Type().IsRegular():
			skipped = append(skipped, name)
			return nil
		}
		return packFile(archive, root, name)
	})
	return skipped, errors.Join(err, archive.Close(), z.Close())
}

func packFile(archive *tar.Writer, root fs.FS, name string) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	// A process that outlives the test may still write to the file: send what it has now.
	_, err = io.Copy(archive, io.LimitReader(file, info.Size()))
	return err
}

// ErrTooLarge reports files that are larger than the limit.
var ErrTooLarge = errors.New("the test's outputs are too large")

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
			if h.Typeflag != tar.TypeDir && h.Typeflag != tar.TypeReg {
				return errors.New("not a directory or a file")
			}
			if left -= h.Size; left < 0 {
				return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
			}
			return nil
		},
	})
}

// Deliver copies the files in dir, which Unpack has extracted, to where Bazel looks for
// them. Variables such as XML_OUTPUT_FILE, which getenv returns, say where that is.
func Deliver(dir string, getenv func(string) string) error {
	var errs []error
	for name, variable := range map[string]string{XML: "XML_OUTPUT_FILE", Sharded: "TEST_SHARD_STATUS_FILE"} {
		if to := getenv(variable); to != "" {
			content, err := os.ReadFile(filepath.Join(dir, name))
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
		errs = append(errs, os.CopyFS(to, os.DirFS(filepath.Join(dir, Undeclared))))
	}
	return errors.Join(errs...)
}
