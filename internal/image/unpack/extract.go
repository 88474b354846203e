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
	"strings"
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
	// contents is a directory below root for regular files until their paths are
	// known. A file's name in it is its Ino.
	contents *os.Root
	// rootNamed reports that the image has an entry for the root directory.
	rootNamed bool
	buf       []byte
}

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
	paths := slices.Sorted(maps.Keys(model.Files)) // a directory comes before what is in it
	if err := x.makeFiles(model, paths, contents); err != nil {
		return err
	}
	if err := x.root.RemoveAll(contents); err != nil {
		return err
	}
	return x.finishDirs(model, paths)
}

// makeContents makes the directory contents and returns its name, which no image can
// know.
func (x *extractor) makeContents() (name string, err error) {
	name = ".extract-" + rand.Text()
	if err := x.root.Mkdir(name, 0o700); err != nil {
		return "", err
	}
	x.contents, err = x.root.OpenRoot(name)
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

// makeFiles makes what the model has at these paths. Directories let their owner
// write until finishDirs.
func (x *extractor) makeFiles(model *kernel.Model, paths []string, contents string) error {
	first := map[int]string{} // by Ino, of files with several names; empty if there is none
	for _, at := range paths[1:] {
		f, name := model.Files[at], at[1:]
		if f.Type() == cpio.TypeDir {
			if err := x.root.Mkdir(name, 0o700); err != nil {
				return err
			}
			continue
		}
		var err error
		if other, linked := first[f.Ino()]; !linked {
			var ok bool
			if ok, err = x.makeFile(name, f, contents); !ok {
				name = ""
			}
			if f.NLink > 1 {
				first[f.Ino()] = name
			}
		} else if other != "" {
			err = x.root.Link(other, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeFile makes what is not a directory. It reports whether there is such a file
// now: the loss of one is reported.
func (x *extractor) makeFile(name string, f *kernel.File, contents string) (ok bool, err error) {
	switch f.Type() {
	case cpio.TypeRegular:
		ino := strconv.Itoa(f.Ino())
		if err := x.setMetadata(x.contents, ino, name, f); err != nil {
			return false, err
		}
		return true, x.root.Rename(path.Join(contents, ino), name)
	case cpio.TypeSymlink:
		if f.Target == "" {
			x.report(LossDropped, name, "it is a symbolic link to nothing")
			return false, nil
		}
		if err := x.root.Symlink(f.Target, name); err != nil {
			return false, err
		}
		if err := x.setOwner(name, f, func(uid, gid int) error { return x.root.Lchown(name, uid, gid) }); err != nil {
			return false, err
		}
		return true, x.inParent(name, func(dir int, base string) error { return setLinkTime(dir, base, f.MTime) })
	}
	err = x.inParent(name, func(dir int, base string) error { return makeNode(dir, base, f) })
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		x.report(LossNode, name, "this user may not make it")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, x.setMetadata(x.root, name, name, f)
}

// finishDirs sets the owners, times and modes of the directories once nothing
// changes in them any more: each before the one that it is in.
func (x *extractor) finishDirs(model *kernel.Model, paths []string) error {
	for _, at := range slices.Backward(paths) {
		f := model.Files[at]
		if f.Type() != cpio.TypeDir || at == "/" && !x.rootNamed {
			continue
		}
		name := path.Join(".", strings.TrimPrefix(at, "/"))
		if err := x.setMetadata(x.root, name, name, f); err != nil {
			return err
		}
	}
	return nil
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

// inParent calls use with the open directory that a name is in and the last
// component of the name, for what os.Root cannot do.
func (x *extractor) inParent(name string, use func(dir int, base string) error) error {
	dir, err := x.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := use(int(dir.Fd()), path.Base(name)); err != nil {
		return &fs.PathError{Op: "make", Path: name, Err: err}
	}
	return nil
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
