package write

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/zeros"
)

// outputs are files that get their names together: all of them, or none.
type outputs struct {
	ctx context.Context
	all []*output
}

// write writes an output with the mode perm; 0 is 0644.
func (s *outputs) write(name string, perm fs.FileMode, content func(io.Writer) error) error {
	o, err := createOutput(name)
	if err != nil {
		return outputError(err)
	}
	if perm != 0 {
		o.perm = perm
	}
	for _, other := range s.all {
		if o.regular && o.name == other.name {
			o.discard()
			return &writeError{fmt.Errorf("%s would be two outputs at once", o.name)}
		}
	}
	s.all = append(s.all, o)
	if err := content(contextWriter{s.ctx, o}); err != nil {
		return err
	}
	return outputError(o.finish())
}

func (s *outputs) commit() error {
	err := s.ctx.Err()
	for _, o := range s.all {
		if err == nil {
			err = o.commit()
		}
	}
	return outputError(err)
}

func (s *outputs) discard() {
	for _, o := range s.all {
		o.discard()
	}
}

// File writes a file that gets its name when all of it is written. It fails if ctx ends
// before that.
func File(ctx context.Context, name string, content func(io.Writer) error) error {
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	if err := outputs.write(name, 0, content); err != nil {
		return err
	}
	return outputs.commit()
}

// Content is a file to write.
type Content struct {
	Name string
	Data []byte
}

// Files writes files that get their names when all of them are written: all, or none. It fails if
// ctx ends before that.
func Files(ctx context.Context, files []Content) error {
	outputs := &outputs{ctx: ctx}
	defer outputs.discard()
	for _, f := range files {
		if err := outputs.write(f.Name, 0, func(w io.Writer) error {
			_, err := w.Write(f.Data)
			return err
		}); err != nil {
			return err
		}
	}
	return outputs.commit()
}

// output is a file that gets its name only when it is whole. Anything but a regular file
// (a pipe, a device) is written as it goes.
type output struct {
	*bufio.Writer
	file *os.File
	name string
	// regular reports whether it is a regular file, which gets its name from commit.
	regular bool
	// perm is the mode of a regular file.
	perm fs.FileMode
	// temporary is the name until commit, or empty if the file has none.
	temporary string
	// hole reports whether the file may end in a hole, which is not in its size yet.
	hole bool
}

// Stdout is the name of standard output.
const Stdout = "/dev/stdout"

func createOutput(name string) (*output, error) {
	if name == Stdout {
		// Opening it by its name fails for a socket or another user's terminal.
		fd, err := duplicateStdout()
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return newOutput(os.NewFile(fd, name), name, false), nil
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && !info.Mode().IsRegular(), name == "/dev/stderr", strings.HasPrefix(name, "/dev/fd/"):
		// /dev/stderr may lead to a regular file that others hold open.
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, err
		}
		return newOutput(file, name, false), nil
	case err == nil:
		// A link stays a link; the file that it leads to is replaced.
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	// Not cleaned: the directory of "x/" is x, which has to exist.
	if file := createUnnamed(filepath.Dir(name)); file != nil {
		return newOutput(file, filepath.Clean(name), true), nil
	}
	return createTemporary(name)
}

// createTemporary is for file systems without unnamed files.
func createTemporary(name string) (*output, error) {
	file, err := os.CreateTemp(filepath.Dir(name), temporaryPrefix(name)+"*")
	if err != nil {
		return nil, err
	}
	o := newOutput(file, filepath.Clean(name), true)
	o.temporary = file.Name()
	return o, nil
}

func newOutput(file *os.File, name string, regular bool) *output {
	return &output{Writer: bufio.NewWriterSize(file, 64<<10), file: file, name: name, regular: regular, perm: 0o644}
}

// temporaryPrefix returns the beginning of a name until commit. With the rest, it fits into
// the 255 bytes that file systems allow.
func temporaryPrefix(name string) string {
	base := filepath.Base(name)
	return "." + strings.ToValidUTF8(base[:min(len(base), 200)], "") + "."
}

const (
	// directLeast is the size, in bytes, from which content is written directly:
	// buffering it would take longer than another system call.
	directLeast = 16 << 10
	// copyLeast is the size, in bytes, from which a copy by the system is faster than
	// the buffer.
	copyLeast = 32 << 10
	// copyMost is how many bytes the system copies between two checks of the context.
	copyMost = 64 << 20
)

func (o *output) Write(p []byte) (int, error) {
	if len(p) < directLeast {
		return o.Writer.Write(p)
	}
	if err := o.Flush(); err != nil {
		return 0, err
	}
	return o.file.Write(p)
}

// copyFrom lets the system copy up to copyMost bytes from one file to the other
// (copy_file_range on Linux), and returns how many it copied: 0 at the end, on an error,
// and if it cannot.
func (o *output) copyFrom(limited *io.LimitedReader) int64 {
	source, ok := limited.R.(*os.File)
	if !ok || !o.regular || limited.N < copyLeast || o.Flush() != nil {
		return 0
	}
	n, _ := o.file.ReadFrom(&io.LimitedReader{R: source, N: min(limited.N, copyMost)})
	limited.N -= n
	return n
}

// Skip writes n zeros. In a regular file, they are a hole.
func (o *output) Skip(n int64) error {
	if !o.regular {
		return zeros.Write(struct{ io.Writer }{o}, n)
	}
	err := o.Flush()
	if err == nil {
		_, err = o.file.Seek(n, io.SeekCurrent)
	}
	o.hole = true
	return err
}

// setSize gives a file that may end in a hole its size.
func (o *output) setSize() error {
	if !o.hole {
		return nil
	}
	size, err := o.file.Seek(0, io.SeekCurrent)
	if err == nil {
		err = o.file.Truncate(size)
	}
	return err
}

// finish writes what is buffered and closes the file, which does not have its name yet.
func (o *output) finish() error {
	err := o.Flush()
	if err == nil {
		err = o.setSize()
	}
	if err == nil && o.regular {
		err = o.file.Chmod(o.perm)
	}
	if err == nil && o.regular && o.temporary == "" {
		o.temporary, err = nameUnnamed(o.file, filepath.Join(filepath.Dir(o.name), temporaryPrefix(o.name)))
	}
	return errors.Join(err, o.file.Close())
}

func (o *output) commit() error {
	if !o.regular {
		return nil
	}
	err := os.Rename(o.temporary, o.name)
	if err == nil {
		o.temporary = ""
	}
	return err
}

// discard closes the file, and removes it if it has not been committed.
func (o *output) discard() {
	o.file.Close() // again, if it was finished
	if o.temporary != "" {
		os.Remove(o.temporary)
	}
}

type writeError struct{ err error }

func (e *writeError) Error() string { return "cannot write: " + e.err.Error() }

func (e *writeError) Unwrap() error { return e.err }

func outputError(err error) error {
	if _, ok := errors.AsType[*writeError](err); ok || err == nil {
		return err
	}
	return &writeError{err}
}

// contextWriter writes to an output and fails after its context has ended.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (w contextWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, outputError(err)
	}
	n, err := w.w.Write(p)
	return n, outputError(err)
}

// Skip implements zeros.Skipper.
func (w contextWriter) Skip(n int64) error {
	if err := w.ctx.Err(); err != nil {
		return outputError(err)
	}
	return outputError(zeros.Write(w.w, n))
}

// ReadFrom writes what r has. The system copies it if r is a part of a file.
func (w contextWriter) ReadFrom(r io.Reader) (total int64, err error) {
	output, _ := w.w.(*output)
	limited, _ := r.(*io.LimitedReader)
	for output != nil && limited != nil && w.ctx.Err() == nil {
		n := output.copyFrom(limited)
		total += n
		if n == 0 {
			break
		}
	}
	// The rest. After an error above, this finds whether reading or writing failed.
	n, err := io.Copy(struct{ io.Writer }{w}, r)
	return total + n, err
}

// contents is a directory of files with what archives hold, so that a list can name them.
type contents struct {
	dir string
	// made are the files in it, and it, where these were made here.
	made []string
}

// createContents makes a directory, or checks that it exists and is empty.
func createContents(dir string) (contents, error) {
	err := os.Mkdir(dir, 0o777)
	if err == nil {
		return contents{dir, []string{dir}}, nil
	}
	if errors.Is(err, fs.ErrExist) {
		var files []fs.DirEntry
		if files, err = os.ReadDir(dir); err == nil && len(files) > 0 {
			err = fmt.Errorf("%s is not empty", dir)
		}
	}
	return contents{dir: dir}, outputError(err)
}

// write writes the content of each entry that has no location, and returns the entries
// with locations for all.
func (c *contents) write(ctx context.Context, entries []*list.Entry) ([]*list.Entry, error) {
	located := slices.Clone(entries)
	number := 0
	for i, e := range entries {
		if e.Content == nil {
			continue
		}
		number++
		at := *e
		at.Content, at.Location = nil, c.dir+"/"+strconv.Itoa(number)
		file, err := os.OpenFile(at.Location, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return nil, outputError(err)
		}
		c.made = append(c.made, at.Location)
		_, err = io.Copy(contextWriter{ctx, file}, io.NewSectionReader(e.Content, 0, e.Content.Size()))
		if closeErr := file.Close(); err == nil {
			err = outputError(closeErr)
		}
		if err != nil {
			return nil, err
		}
		located[i] = &at
	}
	return located, nil
}

func (c *contents) discard() {
	for _, name := range slices.Backward(c.made) {
		os.Remove(name)
	}
}
