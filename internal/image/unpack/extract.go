// Package unpack unpacks images to directories.
package unpack

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// Loss is why something of an image is not in the directory that it was extracted
// to.
type Loss int

const (
	// LossDropped is an entry that the kernel drops silently, or a symbolic link to
	// nothing, which the kernel makes and no other system does.
	LossDropped Loss = iota
	// LossNode is a device node that this user may not make.
	LossNode
	// LossOwner is an owner or group that this user may not set.
	LossOwner
)

// Extract unpacks an image to the directory dir, which it makes unless dir exists
// and is empty. Afterwards dir has what the root directory of a kernel has that
// unpacked the image, as the model in package kernel says: names and symbolic links
// lead where they lead there, with dir as the root directory.
//
// Nothing is written outside dir: the paths of the model have neither ".." nor
// symbolic links in them, and no symbolic link of the file system is followed.
//
// Extract reports what is lost, which is not an error. On an error it removes what
// it made.
func Extract(img *image.Reader, dir string, report func(loss Loss, name, reason string)) (err error) {
	made, err := makeEmptyDir(dir)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x := &extractor{root: root, report: report, buf: make([]byte, 256<<10)}
	if err = x.extract(img); err != nil {
		err = errors.Join(err, removeAll(root))
		if made {
			err = errors.Join(err, os.Remove(dir))
		}
	}
	return err
}

// makeEmptyDir makes a directory, or checks that it exists and is empty.
func makeEmptyDir(dir string) (made bool, err error) {
	if err := os.Mkdir(dir, 0o777); !errors.Is(err, fs.ErrExist) {
		return err == nil, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	switch _, err := d.Readdirnames(1); err {
	case io.EOF:
		return false, nil
	case nil:
		return false, fmt.Errorf("%s is not empty", dir)
	default:
		return false, err
	}
}

// removeAll removes what is in root.
func removeAll(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	for _, name := range names {
		err = errors.Join(err, root.RemoveAll(name))
	}
	return err
}

type extractor struct {
	root   *os.Root
	report func(loss Loss, name, reason string)
	// contents is a directory below root for files until their paths are known. A file's
	// name in it is its Ino.
	contents *directory
	// rootNamed reports that the image has an entry for the root directory.
	rootNamed bool
	buf       []byte
}

// directory is an open directory. What is made in it has names without slashes, so that
// the depth of a directory costs nothing.
type directory struct {
	*os.Root
	// file is the same directory, for what os.Root cannot do.
	file *os.File
	// path is the directory's in the model.
	path string
}

func openDirectory(root *os.Root, path string) (*directory, error) {
	file, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &directory{root, file, path}, nil
}

func (d *directory) Close() error { return errors.Join(d.file.Close(), d.Root.Close()) }

// extract reads the image, then makes what the model has at the end.
func (x *extractor) extract(img *image.Reader) error {
	contents, err := x.makeContents()
	if err != nil {
		return err
	}
	defer x.contents.Close()
	model, err := kernel.ReadModel(img, false, x.read)
	if err != nil {
		return err
	}
	if err := x.makeFiles(model); err != nil {
		return err
	}
	if err := x.root.RemoveAll(contents); err != nil {
		return err
	}
	if root := model.Files["/"]; x.rootNamed {
		return x.setMetadata(x.root, ".", ".", root)
	}
	return nil
}

// makeContents makes the directory contents and returns its name, which no image can
// know.
func (x *extractor) makeContents() (name string, err error) {
	name = ".extract-" + rand.Text()
	if err := x.root.Mkdir(name, 0o700); err != nil {
		return "", err
	}
	root, err := x.root.OpenRoot(name)
	if err != nil {
		return "", err
	}
	x.contents, err = openDirectory(root, "")
	return name, err
}

// read keeps the content of an entry, unless the kernel drops it.
func (x *extractor) read(e *image.Entry, made kernel.Result, content io.Reader) error {
	if made.Drop != 0 {
		x.report(LossDropped, e.Name, made.Detail)
	}
	if old := made.Replaced; old != nil && old.Type() == cpio.TypeRegular && old.NLink == 0 {
		if err := x.contents.Remove(strconv.Itoa(old.Ino())); err != nil {
			return err
		}
	}
	f := made.File
	switch {
	case f == nil:
		return nil
	case f.Type() == cpio.TypeDir:
		x.rootNamed = x.rootNamed || made.Path == "/"
		return nil
	case f.Body != e.Index:
		return nil
	}
	file, err := x.contents.OpenFile(strconv.Itoa(f.Ino()), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{file}, struct{ io.Reader }{content}, x.buf); err != nil {
		return err
	}
	return file.Close()
}

// makeFiles makes what the model has. It goes down each directory once, and sets the
// metadata of a directory when nothing changes in it any more: on the way up.
func (x *extractor) makeFiles(model *kernel.Model) error {
	paths := slices.SortedFunc(maps.Keys(model.Files), comparePaths)
	top, err := x.root.OpenRoot(".")
	if err != nil {
		return err
	}
	root, err := openDirectory(top, "/")
	if err != nil {
		return err
	}
	open := []*directory{root}
	defer func() {
		for _, dir := range open {
			dir.Close()
		}
	}()
	// up closes the last directory.
	up := func() error {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		if err := last.Close(); err != nil {
			return err
		}
		return x.setMetadata(open[len(open)-1].Root, path.Base(last.path), last.path[1:], model.Files[last.path])
	}
	lost := map[int]bool{} // by Ino, of files with several names
	for _, at := range paths[1:] {
		for open[len(open)-1].path != path.Dir(at) {
			if err := up(); err != nil {
				return err
			}
		}
		dir, f := open[len(open)-1], model.Files[at]
		if f.Type() != cpio.TypeDir {
			if err := x.makeFile(dir, at, f, lost); err != nil {
				return err
			}
			continue
		}
		if err := dir.Mkdir(path.Base(at), 0o700); err != nil {
			return err
		}
		below, err := dir.OpenRoot(path.Base(at))
		if err != nil {
			return err
		}
		next, err := openDirectory(below, at)
		if err != nil {
			return err
		}
		open = append(open, next)
	}
	for len(open) > 1 {
		if err := up(); err != nil {
			return err
		}
	}
	return nil
}

// comparePaths compares paths so that what is in a directory follows it.
func comparePaths(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	switch a, b := a[n:], b[n:]; {
	case a == "" || b == "":
		return len(a) - len(b)
	case a[0] == '/' || b[0] != '/' && a[0] < b[0]:
		return -1
	}
	return 1
}

// makeFile gives what is not a directory its name at. A file with several names stays in
// contents too, to be linked from there. It reports the loss of a file once, and notes it
// in lost.
func (x *extractor) makeFile(dir *directory, at string, f *kernel.File, lost map[int]bool) error {
	ino, name := strconv.Itoa(f.Ino()), at[1:]
	several := f.NLink > 1
	first := !several
	if _, known := lost[f.Ino()]; several && !known {
		lost[f.Ino()], first = false, true
	}
	if lost[f.Ino()] {
		return nil
	}
	if f.Type() == cpio.TypeRegular {
		if first {
			if err := x.setMetadata(x.contents.Root, ino, name, f); err != nil {
				return err
			}
		}
		if !several {
			return rename(x.contents, ino, dir, path.Base(at))
		}
		return link(x.contents, ino, dir, path.Base(at))
	}
	to, base := dir, path.Base(at)
	if several {
		to, base = x.contents, ino
	}
	if first {
		ok, err := x.makeSpecial(to, base, name, f)
		if err != nil {
			return err
		}
		if !ok {
			lost[f.Ino()] = several
			return nil
		}
	}
	if several {
		return link(x.contents, ino, dir, path.Base(at))
	}
	return nil
}

// makeSpecial makes a symbolic link, a node, a pipe or a socket. It reports whether there
// is such a file now: the loss of one is reported with the name.
func (x *extractor) makeSpecial(dir *directory, base, name string, f *kernel.File) (ok bool, err error) {
	if f.Type() == cpio.TypeSymlink {
		if f.Target == "" {
			x.report(LossDropped, name, "it is a symbolic link to nothing")
			return false, nil
		}
		if err := dir.Symlink(f.Target, base); err != nil {
			return false, err
		}
		if err := x.setOwner(name, f, func(uid, gid int) error { return dir.Lchown(base, uid, gid) }); err != nil {
			return false, err
		}
		return true, atPath(name, setLinkTime(dir, base, f.MTime))
	}
	err = makeNode(dir, base, f)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		x.report(LossNode, name, "this user may not make it")
		return false, nil
	}
	if err != nil {
		return false, atPath(name, err)
	}
	return true, x.setMetadata(dir.Root, base, name, f)
}

func atPath(name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: "make", Path: name, Err: err}
}

// setMetadata sets the owner, the time and the mode of what is not a symbolic link.
// name is what losses are reported of.
func (x *extractor) setMetadata(root *os.Root, at, name string, f *kernel.File) error {
	if err := x.setOwner(name, f, func(uid, gid int) error { return root.Chown(at, uid, gid) }); err != nil {
		return err
	}
	// The mode comes last: it may not let the owner write.
	t := time.Unix(int64(f.MTime), 0)
	if err := root.Chtimes(at, t, t); err != nil {
		return err
	}
	return root.Chmod(at, permissions(f.Mode))
}

func (x *extractor) setOwner(name string, f *kernel.File, chown func(uid, gid int) error) error {
	err := chown(int(int32(f.UID)), int(int32(f.GID)))
	// EINVAL: the user namespace does not have the number.
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) {
		x.report(LossOwner, name, fmt.Sprintf("this user may not give it to %d:%d", f.UID, f.GID))
		return nil
	}
	return err
}

// permissions returns the permissions of a mode of stat(2).
func permissions(mode uint32) fs.FileMode {
	p := fs.FileMode(mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			p |= flag
		}
	}
	return p
}
